from pathlib import Path

import pytest

from voxcycle.files import replacing


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    with replacing(path) as partial:
        partial.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole" and [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_a_failure_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("former")
    with pytest.raises(OSError, match="disk full"), replacing(path) as partial:
        partial.write_text("ha")
        raise OSError("disk full")
    assert path.read_text() == "former" and list(tmp_path.iterdir()) == [path]
