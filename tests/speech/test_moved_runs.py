"""Runs and folders of recordings that are elsewhere when a training goes on."""

import json
import shutil
from pathlib import Path

import pytest

from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.speech.corpus import CorpusError
from voxcycle.speech.train_voice import train_voice
from voxcycle.training.config import load_config

SMALL = {
    "width": 16,
    "n_blocks": 1,
    "discriminator_widths": [4, 4, 4, 4],
    "batch_size": 1,
    "threads": 1,
    "samples": 0,
    "separates_pitch": False,
    "from_scratch": True,
}
pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def home(folders, tmp_path):
    """Recordings of two speakers, which may be moved."""
    for name in ("low", "high"):
        shutil.copytree(folders / name, tmp_path / "home" / name)
    return tmp_path / "home"


def train(home, resume=False, a="low", **settings):
    given = {"a": home / a, "b": home / "high", "out": home / "run"}
    return train_voice(VoiceTrainingConfig(**given, **settings), resume)


@pytest.mark.parametrize(("prepares", "places"), [(True, ["there", "back"]), (False, ["there"])])
def test_a_run_moves_with_its_recordings(home, tmp_path, prepares, places):
    train(home, steps=1, prepares=prepares, **SMALL)
    split = json.loads((home / "run" / "split.json").read_text())
    (files,) = split["a"].values()
    assert Path(files["train"][0]).is_absolute() is not prepares  # the clips are in the run
    for number, place in enumerate(places, start=2):
        home = home.rename(tmp_path / place)
        (home / "low").rename(home / f"low-{number}")
        (home / f"low-{number}" / "new.txt").write_text("a file more changes nothing")
        trained = train(home, resume=True, a=f"low-{number}", steps=number)
        assert trained.n_steps == number
        assert [path.name for path in trained.voices] == ["high.safetensors", "low.safetensors"]
        (home / f"low-{number}").rename(home / "low")
    stored = load_config(VoiceTrainingConfig, {}, home / "run" / "config.yaml")
    assert stored.out == home / "run"
    changed = home / "low" / "0.wav"
    changed.write_bytes(changed.read_bytes()[:-2])
    with pytest.raises(CorpusError, match="0.wav: has changed since the run of .* began"):
        train(home, resume=True)
    with pytest.raises(CorpusError, match="0.wav: has changed"):
        train(home, resume=True, a="high")


def test_a_run_of_an_earlier_version_may_have_moved(home, tmp_path):
    """Its split has absolute paths, and no hashes of the recordings."""
    train(home, steps=1, prepares=False, **SMALL)
    record = home / "run" / "split.json"
    split = json.loads(record.read_text())
    del split["recordings"]
    clips = shutil.copytree(home / "low", home / "run" / "clips" / "a" / "low")
    record.write_text(json.dumps(split).replace(str(home / "low"), str(clips)))
    shutil.rmtree(home / "low")
    (home / "low").mkdir()
    home = home.rename(tmp_path / "elsewhere")
    assert train(home, resume=True, steps=2).n_steps == 2
    assert str(clips) not in (home / "run" / "split.json").read_text()
