"""What `voxcycle train` refuses before any work."""

import pytest

from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.training.config import save_config


@pytest.fixture
def folders(tmp_path):
    for name in ("heart", "michael"):
        (tmp_path / name).mkdir()
    return tmp_path / "heart", tmp_path / "michael"


def test_folders_are_looked_at_first(run_cli, folders, tmp_path):
    heart, _ = folders
    for a, b, words in (
        (tmp_path / "nobody", heart, "nobody: no such folder"),
        (heart, heart / "../heart", "named twice"),
    ):
        code, _, err = run_cli("train", "--a", a, "--b", b, "--out", tmp_path / "run")
        assert code == 2 and words in err


def test_a_resumed_run_knows_its_names(run_cli, folders, tmp_path):
    a, b = folders
    config = VoiceTrainingConfig(a=a, b=b, name_a="anna", name_b="ben", out=tmp_path / "run")
    config.out.mkdir()
    save_config(config)
    arguments = ("train", "--a", a, "--b", b, "--out", config.out)
    code, _, err = run_cli(*arguments)
    assert code == 2 and "a voice named heart already exists" in err
    code, _, err = run_cli(*arguments, "--resume")
    assert code == 2 and "already exists" not in err  # but nothing was trained yet
    assert str(config.out) in err
