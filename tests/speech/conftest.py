"""Recordings and a cache of features that the trainings of the tests share."""

import pytest
import soundfile


@pytest.fixture(scope="module")
def own_cache(tmp_path_factory):
    """A cache in place of the user's, the same for every module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(scope="session")
def folders(tmp_path_factory, make_speech):
    """Two speakers of six clips of eleven seconds, and a pool of two."""
    root = tmp_path_factory.mktemp("speakers")
    for name, f0_hz in (("low", 110.0), ("high", 210.0), ("pool/one", 130.0), ("pool/two", 190.0)):
        (root / name).mkdir(parents=True)
        for index in range(6):
            wave = make_speech(11.0, 16_000, f0_hz, seed=index)
            soundfile.write(root / name / f"{index}.wav", wave, 16_000)
    return root
