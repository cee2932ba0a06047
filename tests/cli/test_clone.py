"""`voxcycle clone`: a voice of a folder of recordings, without training."""

import numpy as np
import pytest
import soundfile

from voxcycle import convert
from voxcycle.voices.library import load_voice
from voxcycle.voices.voice import Voice

RATE = 16_000


@pytest.fixture
def folders(tmp_path, monkeypatch, write_clips):
    """Half a minute of two speakers each."""
    monkeypatch.setenv("VOXCYCLE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, f0_hz in (("ann", 210.0), ("ben", 110.0)):
        write_clips(tmp_path / name, 4, 8.0, f0_hz)
    return tmp_path


def test_a_cloned_voice_converts_anybody_to_its_speakers_pitch(folders, make_speech, run_cli):
    code, out, _ = run_cli("clone", folders / "ann", "--sex", "woman", "--licence", "mine")
    assert code == 0 and b"voxcycle convert recording.wav --to ann" in out
    ann = load_voice("ann")
    assert ann.is_any_to_one and ann.card.licence == "mine" and ann.card.training["steps"] == 0
    assert np.exp(ann.target_stats.log_f0_mean) == pytest.approx(210, rel=0.1)
    low = make_speech(2.0, RATE, 110.0)
    assert np.abs(convert(low, ann, sample_rate=RATE, vocoder="griffin-lim").waveform).max() > 0.01
    # only the bound condition and the formant postfilter differ
    assert run_cli("clone", folders / "ben", "-o", folders / "ben.safetensors")[0] == 0
    ben = Voice.load(folders / "ben.safetensors")
    states = [voice.generator.weights for voice in (ann, ben)]
    differing = {key for key in states[0] if (states[0][key] != states[1][key]).any()}
    bound = {key for key in differing if "norm.bias" in key}
    assert bound and differing - bound == {"out.weight", "out.bias"}


def test_names_and_files_that_are_taken_are_kept(folders, run_cli):
    code, _, err = run_cli("clone", folders / "ann", "--name", "heart")
    assert code == 2 and "a voice named heart already exists" in err
    taken = folders / "taken.safetensors"
    taken.write_text("mine")
    code, _, err = run_cli("clone", folders / "ann", "-o", taken)
    assert code == 2 and "already exists" in err and taken.read_text() == "mine"


def test_a_place_that_takes_no_voices_is_said_first(folders, run_cli, monkeypatch):
    """Before the folder is found to be empty."""
    monkeypatch.setenv("VOXCYCLE_DATA", "/proc/none")  # takes no files, not even of root
    (folders / "empty").mkdir()
    for command in (("clone", folders / "empty"), ("voices", "add", folders / "none.safetensors")):
        code, _, err = run_cli(*command)
        assert code == 2 and len(err.splitlines()) == 1
        assert "/proc/none/voices: cannot be written to" in err and "VOXCYCLE_DATA" in err


def test_too_little_speech_is_one_sentence(folders, write_clips, run_cli):
    write_clips(folders / "short", 1, 5.0)
    code, _, err = run_cli("clone", folders / "short")
    assert code == 2 and "at least 10 s are needed" in err
    assert not (folders / "data").exists()


def test_a_single_recording_is_enough(folders, make_speech, run_cli):
    """The voice is called after the file, and is the one that a folder of this file gives."""
    (folders / "alone").mkdir()
    for path in (folders / "carl.wav", folders / "alone/carl.wav"):
        soundfile.write(path, make_speech(30.0, RATE, 140.0), RATE)
    assert run_cli("clone", folders / "carl.wav")[0] == 0
    assert run_cli("clone", folders / "alone", "-o", folders / "v.safetensors")[0] == 0
    carl, other = load_voice("carl"), Voice.load(folders / "v.safetensors")
    assert np.exp(carl.target_stats.log_f0_mean) == pytest.approx(140, rel=0.1)
    ours, theirs = carl.generator.weights, other.generator.weights
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
