"""Messages on a terminal that hold what others wrote."""

import io

import pytest
from safetensors.numpy import load_file

from voxcycle.artifacts import VOICE, write_artifact
from voxcycle.cli import main
from voxcycle.console import MAX_LINE, errors_in_one_sentence, open_console, to_line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain, äöü 🎙 [red]", "plain, äöü 🎙 [red]"),
        ("a\nb\tc\x1b[31m", r"a\nb\tc\x1b[31m"),
        ("\x00\x7f\x9b\u2028\u202e\ufeff\ud800", r"\x00\x7f\x9b\u2028\u202e\ufeff\ud800"),
    ],
)
def test_a_message_is_one_printable_line(text, expected):
    assert to_line(text) == expected and expected.isprintable()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("a.wav: empty\nrecord it again"), r"a.wav: empty\nrecord it again"),
        (PermissionError(13, "denied", "a.wav"), "a.wav: permission denied; make it yours"),
        (OSError(28, "No space left", "a.wav"), "a.wav: No space left; make room"),
        (ModuleNotFoundError("No module", name="torch"), "the package torch is missing"),
    ],
)
def test_errors_are_one_sentence_unless_their_place_is_asked_for(
    error, expected, capsys, monkeypatch
):
    with pytest.raises(SystemExit, match="2"), errors_in_one_sentence():
        raise error
    said = capsys.readouterr().err
    assert said.startswith(f"error: {expected}") and said.count("\n") == 1
    monkeypatch.setenv("VOXCYCLE_TRACEBACK", "1")
    with pytest.raises(type(error)), errors_in_one_sentence():
        raise error


def test_a_long_message_keeps_both_ends():
    line = to_line(f"error: {'9' * 10**6}; correct the list")
    assert len(line) == MAX_LINE + len(" ... ")
    assert line.startswith("error: 999") and line.endswith("9; correct the list")


def test_the_console_prints_texts_as_lines():
    console = open_console()
    console.file = io.StringIO()
    console.print("[bold]a\nb\x1b[2J[/]")
    assert console.file.getvalue() == "[bold]a\\nb\\x1b[2J[/]\n"


def test_errors_are_one_line(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["voices", "show", "a\n\x1b[31m/b"])
    assert caught.value.code == 2
    assert capsys.readouterr().err == "error: a\\n\\x1b[31m/b: no such voice file\n"


@pytest.mark.parametrize("change", [{"card": 3}, {"generator": []}, {"second_pass": "much"}])
def test_a_hostile_voice_is_shown_or_refused(tmp_path, voice_path, capsys, change):
    arrays = load_file(voice_path)
    header = {"card": {}, "is_any_to_one": True, "generator": {}} | change
    write_artifact(path := tmp_path / "a.safetensors", VOICE, header, arrays)
    with pytest.raises(SystemExit) as caught:
        main(["voices", "show", str(path)])
    error = capsys.readouterr().err
    assert caught.value.code == 2 and error.startswith(f"error: {path}: header and weights")
    assert len(error.splitlines()) == 1
