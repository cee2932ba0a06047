"""Recordings and a cache of features that the trainings of the tests share."""

import pytest


@pytest.fixture(scope="module")
def own_cache(tmp_path_factory):
    """A cache in place of the user's, the same for every module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(scope="session")
def folders(tmp_path_factory, write_clips):
    """Two speakers of six clips of eleven seconds, and a pool of two."""
    root = tmp_path_factory.mktemp("speakers")
    for name, f0_hz in (("low", 110.0), ("high", 210.0), ("pool/one", 130.0), ("pool/two", 190.0)):
        write_clips(root / name, 6, 11.0, f0_hz)
    return root
