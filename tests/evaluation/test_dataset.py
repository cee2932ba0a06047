from pathlib import Path

import pytest

from voxcycle.evaluation.dataset import list_sources, list_target, match_names, spread


def touch(*paths, text=""):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_a_folder_of_recordings_is_one_speaker(tmp_path):
    folder = tmp_path / "ann"
    touch(*(folder / f"{i:02d}.wav" for i in range(30)))
    touch(folder / "notes.md", folder / ".hidden.wav")
    touch(folder / "00.txt", text="Good day.\n")
    (speaker,) = list_sources(folder, "en", n_sentences=10)
    assert speaker.name == "ann" and speaker.language == "en"
    assert [s.name for s in speaker.sentences] == [f"{i:02d}" for i in range(0, 30, 3)]
    assert [s.text for s in speaker.sentences[:2]] == ["Good day.", None]
    scored = {s.path for s in speaker.sentences}
    assert len(speaker.references) == 20 and not scored & {s.path for s in speaker.references}


def test_few_recordings_serve_as_references_too(tmp_path):
    touch(*(tmp_path / "ann" / f"{i}.wav" for i in range(6)))
    (speaker,) = list_sources(tmp_path / "ann", "en", n_sentences=4)
    assert len(speaker.sentences) == 4 and len(speaker.references) == 6
    # under the same names, so that a scored recording is left out of its own centroid
    assert {s.name for s in speaker.sentences} < {s.name for s in speaker.references}


def test_subfolders_are_speakers_with_their_own_texts_and_parallels(tmp_path):
    for name in ("ann", "bob"):
        touch(tmp_path / "in" / name / "a.wav", tmp_path / "in" / name / "b.wav")
        touch(tmp_path / "texts" / name / "a.txt", text=f"I am {name}.")
    touch(tmp_path / "parallel" / "b.flac")
    (tmp_path / "in" / "empty").mkdir()
    ann, bob = list_sources(tmp_path / "in", "nl", tmp_path / "texts", tmp_path / "parallel")
    assert [s.text for s in ann.sentences] == ["I am ann.", None]
    assert [s.text for s in bob.sentences] == ["I am bob.", None]
    assert [s.parallel for s in bob.sentences] == [None, tmp_path / "parallel" / "b.flac"]


def test_one_name_in_two_formats_is_two_sentences(tmp_path):
    touch(tmp_path / "a.wav", tmp_path / "a.mp3", tmp_path / "b.wav")
    assert [s.name for s in list_target(tmp_path, "en").sentences] == ["a.mp3", "a.wav", "b"]


def below(folder, *names):
    return {Path(name): folder / name for name in names}


def test_names_match_by_path_first(tmp_path):
    source, other = tmp_path / "in", tmp_path / "par"
    names = ("a.wav", "day2/a.wav")
    found = match_names(below(source, *names), below(other, "a.flac", "day2/a.wav"))
    assert found == {
        source / "a.wav": other / "a.flac",
        source / "day2/a.wav": other / "day2/a.wav",
    }
    # with the same extension too, where two have the path
    found = match_names(below(source, "a.wav", "a.mp3"), below(other, "a.wav", "a.mp3"))
    assert found == {source / n: other / n for n in ("a.wav", "a.mp3")}


def test_names_match_by_file_name_where_it_is_unique(tmp_path):
    source, other = tmp_path / "in", tmp_path / "par"
    found = match_names(below(source, "a.wav", "b.wav"), below(other, "day2/a.wav", "c.wav"))
    assert found == {source / "a.wav": other / "day2/a.wav"}
    # what another recording has by its path is not to be had by the name
    found = match_names(below(source, "a.wav", "day2/a.wav"), below(other, "day2/a.wav"))
    assert found == {source / "day2/a.wav": other / "day2/a.wav"}


@pytest.mark.parametrize(
    ("recordings", "others", "named"),
    [
        (("a.wav",), ("x/a.wav", "y/a.wav"), ("par/x/a.wav", "par/y/a.wav")),
        (("x/a.wav", "y/a.wav"), ("a.wav",), ("in/x/a.wav", "in/y/a.wav")),
        (("a.wav",), ("a.flac", "a.mp3"), ("par/a.flac", "par/a.mp3")),
    ],
)
def test_names_that_could_match_twice_are_refused(tmp_path, recordings, others, named):
    with pytest.raises(ValueError) as refused:
        match_names(below(tmp_path / "in", *recordings), below(tmp_path / "par", *others))
    assert all(str(tmp_path / name) in str(refused.value) for name in named)


def test_texts_and_parallels_are_found_by_their_paths(tmp_path):
    for name in ("a", "day2/a"):
        touch(tmp_path / "ann" / f"{name}.wav", tmp_path / "par" / f"{name}.wav")
        touch(tmp_path / "texts" / f"{name}.txt", text=f"This is {name}.")
    (ann,) = list_sources(tmp_path / "ann", "en", tmp_path / "texts", tmp_path / "par")
    assert [s.parallel for s in ann.sentences] == [
        tmp_path / "par/a.wav",
        tmp_path / "par/day2/a.wav",
    ]
    assert [s.text for s in ann.sentences] == ["This is a.", "This is day2/a."]


def test_another_speaker_s_files_serve_nobody_else(tmp_path):
    touch(*(tmp_path / "in" / name / "a.wav" for name in ("ann", "bob")))
    touch(tmp_path / "par" / "ann" / "a.wav")
    ann, bob = list_sources(tmp_path / "in", "en", None, tmp_path / "par")
    assert ann.sentences[0].parallel == tmp_path / "par/ann/a.wav"
    assert bob.sentences[0].parallel is None


def test_the_target_s_texts(tmp_path):
    """From its own subfolder, from the folder, or from beside; never the source's of that name."""
    ben, texts = tmp_path / "ben", tmp_path / "texts"
    touch(ben / "1.wav", ben / "2.wav", tmp_path / "ann" / "1.wav")

    def said(source):
        return [s.text for s in list_target(ben, "en", texts, source=source).sentences]

    touch(texts / "1.txt", text="Ann's first.")
    assert said(None) == ["Ann's first.", None]
    assert said(tmp_path / "ann") == [None, None]
    touch(ben / "1.txt", text="Ben's first, beside it.")
    assert said(tmp_path / "ann") == ["Ben's first, beside it.", None]
    touch(texts / "ann" / "2.txt", text="Ann's second.")
    assert said(tmp_path / "ann") == ["Ben's first, beside it.", None]
    touch(texts / "2.txt", text="Ben's second.")
    assert said(tmp_path / "ann") == [None, "Ben's second."]
    touch(texts / "ben" / "1.txt", text="Ben's first.")
    assert said(tmp_path / "ann") == ["Ben's first.", None]


def test_wrong_folders_are_named(tmp_path):
    touch(tmp_path / "ann" / "a.wav", tmp_path / "other" / "z.wav")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="gone"):
        list_sources(tmp_path / "gone", "en")
    with pytest.raises(ValueError, match="empty.*wav"):
        list_target(tmp_path / "empty", "en")
    with pytest.raises(ValueError, match=r"other.*NAME\.txt"):
        list_sources(tmp_path / "ann", "en", tmp_path / "other")
    with pytest.raises(ValueError, match="other.*ann"):
        list_sources(tmp_path / "ann", "en", None, tmp_path / "other")


def test_spread_takes_first_to_last():
    paths = [Path(str(i)) for i in range(10)]
    assert [p.name for p in spread(paths, 4)] == ["0", "2", "5", "7"]
    assert spread(paths[:3], 4) == paths[:3]
