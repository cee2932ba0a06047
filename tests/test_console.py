"""Messages on a terminal that hold what others wrote."""

import io

import pytest
from safetensors.numpy import load_file

from voxcycle.artifacts import VOICE, write_artifact
from voxcycle.cli import main
from voxcycle.console import MAX_LINE, open_console, to_line


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
