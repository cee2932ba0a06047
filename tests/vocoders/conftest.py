from pathlib import Path

import librosa
import pytest
import soundfile

from voxcycle.audio.mel import MelSpec

RECORDING = Path(__file__).parents[2] / "recipes" / "demo.flac"


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """A cache of the tests' own: weights of checkpoints are kept there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def speech():
    """Three seconds of a real recording at the default rate, (T,), T a multiple of the hop."""
    spec = MelSpec()
    waveform, rate = soundfile.read(RECORDING, dtype="float32")
    waveform = librosa.resample(waveform, orig_sr=rate, target_sr=spec.sample_rate)
    n_samples = 3 * spec.sample_rate // spec.hop_length * spec.hop_length
    return waveform[:n_samples]
