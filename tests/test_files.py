import pytest

from voxcycle.files import allow_open_files, remove_partials, replacing


def test_as_many_files_may_be_open_as_the_system_allows():
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        allow_open_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with replacing(path) as partial:
        partial.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole" and [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_a_failure_keeps_what_was_there(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("former")
    with pytest.raises(OSError, match="disk full"), replacing(path) as partial:
        partial.write_text("ha")
        raise OSError("disk full")
    assert path.read_text() == "former" and list(tmp_path.iterdir()) == [path]


def test_files_and_folders_are_not_mistaken_for_each_other(tmp_path):
    (tmp_path / "file").write_text("former")
    for path in (tmp_path / "file" / "new", tmp_path / "file" / "deep" / "new"):
        with pytest.raises(NotADirectoryError, match="file: expected a folder, found a file"):
            with replacing(path):
                pass
    with pytest.raises(IsADirectoryError, match="expected a file, found a folder"):
        with replacing(tmp_path):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_only_partial_files_of_the_paths_are_removed(tmp_path):
    paths = [tmp_path / name for name in ("a[1].wav", "b.wav", "c" * 90 + ".wav")]
    partials = []
    for path in paths:
        with replacing(path) as partial:
            partial.write_text("whole")
        partial.write_text("killed here")
        partials.append(partial)
    remove_partials([paths[0], paths[2]])
    assert sorted(tmp_path.glob(".*")) == [partials[1]]
    assert all(path.exists() for path in paths)
