"""From folders of recordings to the files of a training."""

import numpy as np
import pytest
import soundfile
from rich.console import Console

from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.speech.corpus import CorpusError
from voxcycle.speech.domains import find_domains


def split(folders, out, **changes):
    values = {"a": folders / "low", "b": folders / "high", "out": out, "seed": 3}
    console = Console(stderr=True, markup=False, highlight=False)
    return find_domains(VoiceTrainingConfig(**values | changes), console)


def test_recordings_are_cut_and_screened_first(tmp_path, make_speech, capfd):
    """One tape per speaker, with a clipped part, is enough."""
    pause = np.zeros(24_000, np.float32)
    for name, f0_hz in (("low", 110.0), ("high", 210.0)):
        spoken = [make_speech(10.5, 16_000, f0_hz, seed=index) for index in range(7)]
        spoken[0] = np.clip(20 * spoken[0], -0.9, 0.9)
        tape = np.concatenate([part for sentence in spoken for part in (sentence, pause)])
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "tape.wav", tape, 16_000)
    domains = split(tmp_path, tmp_path / "run")
    assert len(domains.a["low"].train) >= 4
    assert (tmp_path / "run" / "clips" / "a" / "low" / "report.png").exists()
    err = capfd.readouterr().err
    assert f"{tmp_path / 'low'}: " in err and "clipped" in err
    # clips that are prepared already are not cut again
    clips = tmp_path / "run" / "clips"
    again = {"a": clips / "a" / "low", "b": clips / "b" / "high"}
    split(tmp_path, tmp_path / "again", **again)
    assert not (tmp_path / "again" / "clips").exists()
    short = tmp_path / "short"
    short.mkdir()
    soundfile.write(short / "one.wav", make_speech(5.0, 16_000), 16_000)
    with pytest.raises(CorpusError, match=r"short: \d s of 5 s kept in 1 clips.*: at least 60 s"):
        split(tmp_path, tmp_path / "third", a=short)
