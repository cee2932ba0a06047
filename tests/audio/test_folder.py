import os
import shutil
import tempfile
from pathlib import Path

import pytest

from voxcycle.audio.folder import count_files, find_audio, list_audio


def test_nothing_hidden_is_found_and_links_are_followed_once(tmp_path):
    inside = tmp_path / "in"
    for name in ("a.wav", "sub/b.flac", ".Trash-0/c.wav", "sub/.d.wav", "sub/notes.txt"):
        (inside / name).parent.mkdir(parents=True, exist_ok=True)
        (inside / name).write_bytes(b"x")
    other = tmp_path / "other"
    other.mkdir()
    (other / "e.wav").write_bytes(b"x")
    (inside / "linked").symlink_to(other, target_is_directory=True)
    (inside / "sub" / "loop").symlink_to(inside, target_is_directory=True)
    found = [str(path.relative_to(inside)) for path in list_audio(inside)]
    assert found == ["a.wav", "linked/e.wav", "sub/b.flac"]
    assert [path.name for path in list_audio(inside, recursive=False)] == ["a.wav"]


@pytest.fixture
def open_folder():
    """A folder that nobody owns a part of above, used without the rights of root."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    user = os.geteuid()
    yield folder
    os.seteuid(user)
    shutil.rmtree(folder)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="Windows has no such rights")
def test_a_folder_that_may_not_be_read_is_a_problem(open_folder):
    (open_folder / "a.wav").write_bytes(b"x")
    (open_folder / "closed").mkdir(0o000)
    if os.geteuid() == 0:
        os.seteuid(65534)
    files, [(place, reason)], others = find_audio(open_folder)
    assert (files, others) == ([open_folder / "a.wav"], [])
    assert place == open_folder / "closed"
    assert reason.startswith("the folder cannot be read (Permission denied)")


def test_a_dead_link_is_found_and_other_files_are_counted(tmp_path):
    (tmp_path / "a.wav").symlink_to(tmp_path / "absent")
    for name in ("b.txt", "c.TXT", "README"):
        (tmp_path / name).write_bytes(b"x")
    found = find_audio(tmp_path)
    assert found.files == [tmp_path / "a.wav"]
    assert count_files(found.others) == "3 files (.txt, none)"
    assert count_files(found.others[:1]) == "1 file (none)"


def test_files_for_ffmpeg_are_one_problem_where_it_is_missing(tmp_path, monkeypatch):
    for name in ("a.m4a", "b.WMA", "c.m4a", "d.wav"):
        (tmp_path / name).write_bytes(b"x")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_audio(tmp_path)
    assert found.files == [tmp_path / "d.wav"]
    [(place, reason)] = found.problems
    assert place == tmp_path
    assert reason.startswith("3 files (.m4a, .wma) passed over for want of ffmpeg: install it")
    program = tmp_path / "ffmpeg"
    program.touch(0o755)
    assert len(list_audio(tmp_path)) == 4 and not find_audio(tmp_path).problems
