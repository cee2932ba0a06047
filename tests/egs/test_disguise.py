"""Pairs of the same words at the same times by another speaker."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rich.console import Console

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import WARPS
from voxcycle.speech.corpus import CorpusError
from voxcycle.speech.feature_cache import cache_features

KOKORO = Path(__file__).parents[2] / "egs" / "kokoro"
RATE = 16_000


def test_disguises_are_found_by_the_names_of_the_recordings(tmp_path, make_speech, monkeypatch):
    monkeypatch.syspath_prepend(str(KOKORO))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("speakers", "disguise"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    from disguise import load_disguises

    paths = [tmp_path / f"{index}.wav" for index in range(3)]
    for index, path in enumerate(paths):
        soundfile.write(path, make_speech(2.0 + index, RATE, 210.0, seed=index), RATE)
        folder = tmp_path / "disguises" / "anna" / path.stem
        folder.mkdir(parents=True)
        for name, f0_hz in (("ben", 110.0), ("cleo", 160.0))[: 1 + index % 2]:
            wave = make_speech(2.0 + index, RATE, f0_hz, seed=index)
            soundfile.write(folder / f"{name}.flac", wave, RATE)
    spec, console = MelSpec(), Console(quiet=True)
    recordings = cache_features(paths, spec, tmp_path / "own", perturbations=WARPS[:1], n_jobs=1)

    def load():
        folder = tmp_path / "disguises" / "anna"
        return load_disguises(recordings, paths, folder, spec=spec, console=console)

    found = load()
    names = [[disguise.speaker.name for disguise in own] for own in found]
    assert names == [["ben"], ["ben", "cleo"], ["ben"]]
    for recording, own in zip(recordings, found, strict=True):
        assert all(len(d.recording.f0_hz) == len(recording.f0_hz) for d in own)
    # statistics are those of all of a speaker's disguises
    ben, cleo = found[1][0].speaker, found[1][1].speaker
    assert (len(ben.recordings), len(cleo.recordings)) == (3, 1)
    assert np.exp(ben.stats.log_f0_mean) == pytest.approx(110, rel=0.1)
    short = tmp_path / "disguises" / "anna" / "2" / "ben.flac"
    soundfile.write(short, make_speech(1.0, RATE), RATE)
    with pytest.raises(CorpusError, match=r"ben\.flac.*2\.wav"):
        load()
    short.unlink()
    with pytest.raises(CorpusError, match=r"2\.wav.*disguise\.py"):
        load()
