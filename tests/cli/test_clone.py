"""`voxcycle clone`: a voice of a folder of recordings, without training."""

from collections.abc import Callable

import numpy as np
import pytest
import soundfile

from voxcycle import convert
from voxcycle.cli import main
from voxcycle.voices.library import load_voice
from voxcycle.voices.voice import Voice

RATE = 16_000
Speech = Callable[..., np.ndarray]


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return int(left.value.code or 0)


@pytest.fixture
def folders(tmp_path, monkeypatch, make_speech):
    """Half a minute of two speakers each."""
    monkeypatch.setenv("VOXCYCLE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, f0_hz in (("ann", 210.0), ("ben", 110.0)):
        (tmp_path / name).mkdir()
        for index in range(4):
            speech = make_speech(8.0, RATE, f0_hz, seed=index)
            soundfile.write(tmp_path / name / f"{index}.wav", speech, RATE)
    return tmp_path


def test_a_cloned_voice_converts_anybody_to_its_speakers_pitch(folders, make_speech, capsys):
    assert run("clone", folders / "ann", "--sex", "woman", "--licence", "mine") == 0
    assert "voxcycle convert recording.wav --to ann" in capsys.readouterr().out
    ann = load_voice("ann")
    assert ann.is_any_to_one and ann.card.licence == "mine" and ann.card.training["steps"] == 0
    assert np.exp(ann.target_stats.log_f0_mean) == pytest.approx(210, rel=0.1)
    low = make_speech(2.0, RATE, 110.0)
    assert np.abs(convert(low, ann, sample_rate=RATE, vocoder="griffin-lim").waveform).max() > 0.01
    # only the bound condition and the formant postfilter differ
    assert run("clone", folders / "ben", "-o", folders / "ben.safetensors") == 0
    ben = Voice.load(folders / "ben.safetensors")
    states = [voice.generator.state_dict() for voice in (ann, ben)]
    differing = {key for key in states[0] if (states[0][key] != states[1][key]).any()}
    bound = {key for key in differing if "norm.bias" in key}
    assert bound and differing - bound == {"out.weight", "out.bias"}


def test_names_and_files_that_are_taken_are_kept(folders, capsys):
    assert run("clone", folders / "ann", "--name", "heart") == 2
    assert "a voice named heart already exists" in capsys.readouterr().err
    taken = folders / "taken.safetensors"
    taken.write_text("mine")
    assert run("clone", folders / "ann", "-o", taken) == 2
    assert "already exists" in capsys.readouterr().err and taken.read_text() == "mine"


def test_too_little_speech_is_one_sentence(folders, make_speech, capsys):
    (folders / "short").mkdir()
    soundfile.write(folders / "short" / "one.wav", make_speech(5.0, RATE), RATE)
    assert run("clone", folders / "short") == 2
    assert "at least 20 s are needed" in capsys.readouterr().err
    assert not (folders / "data").exists()
