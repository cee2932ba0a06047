"""Levels of a waveform by no code of the package's, and a batch of recordings."""

import numpy as np
import pytest
import soundfile

from voxcycle.conversion.batch import convert_files
from voxcycle.conversion.work import Work

RATE = 16_000


def _frame_level_db(waveform, sample_rate, frame_s):
    """Return the RMS level of consecutive frames in dBFS."""
    length = int(frame_s * sample_rate)
    n_frames = len(waveform) // length
    frames = waveform[: n_frames * length].astype(np.float64).reshape(n_frames, length)
    return 10 * np.log10(np.maximum(np.mean(frames**2, axis=1), 1e-12))


def _measure_active_db(waveform, sample_rate):
    """Return the mean power of the frames within 40 dB of the loud ones, in dBFS."""
    level = _frame_level_db(waveform, sample_rate, 0.02)
    active = level[level > np.percentile(level, 95) - 40]
    return float(10 * np.log10(np.mean(10 ** (active / 10))))


@pytest.fixture(scope="session")
def frame_level_db():
    return _frame_level_db


@pytest.fixture(scope="session")
def measure_active_db():
    return _measure_active_db


@pytest.fixture(scope="session")
def recordings(tmp_path_factory, make_speech):
    """A folder of five recordings of half a second, one of them broken past its header."""
    folder = tmp_path_factory.mktemp("recordings")
    for index in range(4):
        soundfile.write(folder / f"{index}.wav", make_speech(0.5, RATE, seed=index), RATE)
    (folder / "silent.wav").write_bytes((folder / "0.wav").read_bytes()[:44] + bytes(RATE))
    return folder


@pytest.fixture
def convert(recordings, voice_path, tmp_path):
    """Convert the folder to OUT; returns the results by the names of their sources."""

    def run(folder=recordings, out=tmp_path / "out", **settings):
        work = Work(**{k: v for k, v in settings.items() if k in Work.__dataclass_fields__})
        others = {k: v for k, v in settings.items() if k not in Work.__dataclass_fields__}
        results = convert_files(folder, voice_path, out, vocoder="griffin-lim", work=work, **others)
        return {result.source.name: result for result in results}

    return run
