"""Names with separators, control characters, brackets: as files, and as ids in lists."""

import json

import numpy as np
import pytest
import soundfile

from voxcycle.conversion.lists.reader import open_list

RATE = 16_000
FILE_NAMES = (
    "line\nend.wav",
    "\x1b[31mred\x07.wav",
    "[bold]x[red].wav",
    "🎙️ e\u0301.wav",
    "a;b|c&d$(e)`f`.wav",
    "back\\slash.wav",
    "-rf --.wav",
    "\u202egpj.wav",
)
IDS = (
    *("../../up", "/etc/passwd", "a/b\\c", ".", "..", "line\nend", "zero\0", "\x1b[2J", "\x85"),
    *("[red]", "[/]", "🎙️", "\ud800", "\udcff", "\u2028", "CON:", "a|b", " lead", "%s{0}"),
)


@pytest.fixture(scope="module")
def speech(make_speech):
    """A fifth of a second."""
    return make_speech(0.2, RATE)


def lines_of(data):
    """Return the lines of stdout, each of which a terminal can show as it is."""
    lines = data.decode().splitlines()
    assert all(line.isprintable() for line in lines)
    return lines


def test_files_keep_their_names(convert, tmp_path, speech):
    for name in FILE_NAMES:
        soundfile.write(tmp_path / name, speech, RATE)
    code, out, err = convert(*(tmp_path / name for name in FILE_NAMES), "-o", tmp_path / "out")
    assert (code, err) == (0, "")
    assert sum(" -> " in line for line in lines_of(out)) == len(FILE_NAMES)
    written = {path.name for path in (tmp_path / "out").glob("*.wav")}
    assert written == set(FILE_NAMES)


def test_missing_files_are_one_line_each(convert, tmp_path):
    code, _, err = convert(*(tmp_path / name for name in FILE_NAMES))
    lines = lines_of(err.encode())
    assert code == 2
    assert sum("no such file; check the path" in line for line in lines) == len(FILE_NAMES)
    assert len(lines) == len(FILE_NAMES) + 1  # how many files were converted


def test_ids_of_lists_stay_in_the_folder(convert, tmp_path, speech):
    soundfile.write(tmp_path / "a.wav", speech, RATE)
    rows = [{"id": name, "audio_filepath": "a.wav"} for name in IDS]
    (tmp_path / "list.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = (tmp_path / "list.jsonl", "-o", tmp_path / "made" / "out")
    code, out, err = convert(*arguments)
    clashes = [line for line in lines_of(err.encode()) if "would both be written to it" in line]
    n_made = len(IDS) - len(clashes)
    assert 12 < n_made and code == (2 if clashes else 0)
    written = list((tmp_path / "made" / "out").glob("*.wav"))
    assert len(written) == n_made and all(path.name.isprintable() for path in written)
    assert {path.name for path in tmp_path.iterdir()} == {"a.wav", "list.jsonl", "made"}
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["out"]
    assert sum(" -> " in line for line in lines_of(out)) == n_made
    again = open_list(tmp_path / "made" / "out" / "list.jsonl").utterances
    assert len(again) == n_made and {own.id for own in again} <= set(IDS)
    assert all(own.source.is_file() for own in again)
    _, _, err = convert(*arguments)
    assert f"0 of {len(IDS)} files were converted, {n_made} before" in err


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("no\0file.wav", "not the name of a file"),
        ("\ud800.wav", "not the name of a file"),
        ("x" * 300 + ".wav", "cannot be read: File name too long"),
        ("x/" * 3000, "cannot be read: File name too long"),
        ("", "no file is named"),
    ],
)
def test_a_path_that_cannot_be_one_fails_alone(convert, tmp_path, speech, place, words):
    soundfile.write(tmp_path / "a.wav", np.asarray(speech), RATE)
    rows = [{"id": "bad", "audio_filepath": place}, {"id": "good", "audio_filepath": "a.wav"}]
    (tmp_path / "list.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, _, err = convert(tmp_path / "list.jsonl", "-o", tmp_path / "out")
    assert code == 2 and words in err
    assert (tmp_path / "out" / "good.wav").exists() == bool(place)  # a row without one is no list
