"""Messages on a terminal that hold what others wrote."""

import io

import pytest

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
