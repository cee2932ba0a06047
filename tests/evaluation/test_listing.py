from pathlib import Path

import pytest

from voxcycle.evaluation.listing import list_sources, list_target, spread


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_a_folder_of_recordings_is_one_speaker(tmp_path: Path):
    folder = tmp_path / "ann"
    touch(
        *(folder / f"{i:02d}.wav" for i in range(30)), folder / "notes.md", folder / ".hidden.wav"
    )
    (folder / "00.txt").write_text("Good day.\n", encoding="utf-8")
    (speaker,) = list_sources(folder, "en", n_sentences=10)
    assert speaker.name == "ann" and speaker.language == "en"
    assert [s.name for s in speaker.sentences] == [f"{i:02d}" for i in range(0, 30, 3)]
    assert [s.text for s in speaker.sentences[:2]] == ["Good day.", None]
    scored = {s.path for s in speaker.sentences}
    assert len(speaker.references) == 20 and not scored & {s.path for s in speaker.references}


def test_few_recordings_serve_as_references_too(tmp_path: Path):
    touch(*(tmp_path / "ann" / f"{i}.wav" for i in range(6)))
    (speaker,) = list_sources(tmp_path / "ann", "en", n_sentences=4)
    assert len(speaker.sentences) == 4 and len(speaker.references) == 6
    # under the same names, so that a scored recording is left out of its own centroid
    assert {s.name for s in speaker.sentences} < {s.name for s in speaker.references}


def test_subfolders_are_speakers_with_their_own_texts_and_parallels(tmp_path: Path):
    for name in ("ann", "bob"):
        touch(tmp_path / "in" / name / "a.wav", tmp_path / "in" / name / "b.wav")
        touch(tmp_path / "texts" / name / "a.txt")
        (tmp_path / "texts" / name / "a.txt").write_text(f"I am {name}.")
    touch(tmp_path / "parallel" / "b.flac")
    (tmp_path / "in" / "empty").mkdir()
    ann, bob = list_sources(tmp_path / "in", "nl", tmp_path / "texts", tmp_path / "parallel")
    assert [s.text for s in ann.sentences] == ["I am ann.", None]
    assert [s.text for s in bob.sentences] == ["I am bob.", None]
    assert [s.parallel for s in bob.sentences] == [None, tmp_path / "parallel" / "b.flac"]


def test_one_name_in_two_formats_is_two_sentences(tmp_path: Path):
    touch(tmp_path / "a.wav", tmp_path / "a.mp3", tmp_path / "b.wav")
    assert [s.name for s in list_target(tmp_path, "en").sentences] == ["a.mp3", "a.wav", "b"]


def test_wrong_folders_are_named(tmp_path: Path):
    touch(tmp_path / "ann" / "a.wav", tmp_path / "other" / "z.wav")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="gone: no such folder"):
        list_sources(tmp_path / "gone", "en")
    with pytest.raises(ValueError, match="empty: no recordings found"):
        list_target(tmp_path / "empty", "en")
    with pytest.raises(ValueError, match="other: no NAME.txt"):
        list_sources(tmp_path / "ann", "en", tmp_path / "other")
    with pytest.raises(ValueError, match="other: no recording has the name"):
        list_sources(tmp_path / "ann", "en", None, tmp_path / "other")


def test_spread_takes_first_to_last():
    paths = [Path(str(i)) for i in range(10)]
    assert [p.name for p in spread(paths, 4)] == ["0", "2", "5", "7"]
    assert spread(paths[:3], 4) == paths[:3]
