"""What `voxcycle train` refuses before any work."""

import pwd

import pytest

from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.training.config import resume_config, save_config


@pytest.fixture
def folders(tmp_path):
    for name in ("heart", "michael"):
        (tmp_path / name).mkdir()
    return tmp_path / "heart", tmp_path / "michael"


def test_folders_are_looked_at_first(run_cli, folders, tmp_path, write_clips):
    heart, _ = folders
    write_clips(heart / "tapes", 1, 2.0)
    (tmp_path / "link").symlink_to(heart)
    for a, b, words in (
        (tmp_path / "nobody", heart, "nobody: no such folder"),
        (heart, heart / "../heart", "shares recordings with"),
        (tmp_path / "link", heart, "shares recordings with"),
        (heart / "tapes", heart, "shares recordings with"),
        (heart, heart / "tapes", "shares recordings with"),
    ):
        code, _, err = run_cli("train", "--a", a, "--b", b, "--out", tmp_path / "run", "--no-add")
        assert code == 2 and words in err and len(err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def leave_home(monkeypatch):
    """Be a user without HOME and without an entry in the list of users, as in some containers."""

    def find(uid):
        raise KeyError(uid)

    for variable in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "VOXCYCLE_DATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", find)


@pytest.mark.parametrize("variable", ["VOXCYCLE_DATA", "XDG_CACHE_HOME"])
def test_where_nothing_can_be_written_is_said_first(run_cli, folders, variable, monkeypatch):
    """/proc takes no files, not even of root."""
    a, b = folders
    arguments = ["train", "--a", a, "--b", b, "--out", a.parent / "run"]
    arguments += ["--no-add"] * (variable == "XDG_CACHE_HOME")

    def assert_refused(words):
        code, _, err = run_cli(*arguments)
        assert code == 2 and words in err and len(err.splitlines()) == 1

    (a / "file").write_text("")
    monkeypatch.setenv(variable, "/proc/none")
    assert_refused("cannot be written to")
    monkeypatch.setenv(variable, str(a / "file"))
    assert_refused("expected a folder, found a file")
    monkeypatch.delenv(variable)
    leave_home(monkeypatch)
    assert_refused("the home folder is not known; set HOME")
    assert run_cli("voices")[0] == 0  # the shipped ones


def test_the_folder_of_a_run_must_take_files(run_cli, folders):
    a, b = folders
    code, _, err = run_cli("train", "--a", a, "--b", b, "--out", "/proc/run", "--no-add")
    assert code == 2 and "/proc/run: cannot be written to" in err


def test_a_folder_may_be_spelled_otherwise_on_resumption(folders, tmp_path, monkeypatch):
    a, b = folders
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(a)
    started = VoiceTrainingConfig(a=a, b=b, out=tmp_path / "run", cycle_a=3.0, start=b / "x.ckpt")
    started.out.mkdir()
    save_config(started)
    for spelled in ("heart", "./heart/", "~/heart", "link", "heart/../heart", a):
        resumed = resume_config(VoiceTrainingConfig(a=spelled, b="michael", out="~/run"))
        assert (resumed.a, resumed.b, resumed.cycle_a) == (a, b, 3.0)
        assert resumed.voice_names() == ["michael", "heart"]
    with pytest.raises(ValueError, match="started with start=.*x.ckpt, not .*y.ckpt; leave start"):
        resume_config(VoiceTrainingConfig(a=a, b=b, out="run", start="y.ckpt"))


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
