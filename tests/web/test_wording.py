"""Messages in the client's words."""

import ast
import re
from pathlib import Path

import pytest

import voxcycle
from voxcycle.web.wording import reword, without_folders, without_options

FOLDER = Path("/srv/serve/jobs/0123456789abcdef")
NAMES = {"a": ["anna 1.wav", "anna 2.mp3"], "b": ["ben.wav"]}


@pytest.mark.parametrize(
    "said, shown",
    [
        (f"{FOLDER}/a/0001.mp3: the file is empty", "anna 2.mp3: the file is empty"),
        (f"{FOLDER}/b/0000.wav and {FOLDER}/a/0000.wav", "ben.wav and anna 1.wav"),
        (
            f"{FOLDER}/a: no clip; 0001.mp3: noisy",
            "The recordings of a: no clip; anna 2.mp3: noisy",
        ),
        (f"{FOLDER}/b: no clip; 0000.wav-001.flac", "The recordings of b: no clip; ben.wav"),
        (f"{FOLDER}/b: no clip; 0007.wav", "The recordings of b: no clip; 0007.wav"),
        (f"{FOLDER}/run/last.ckpt: damaged", "The job's folder: damaged"),
        ("0000.wav is in both", "0000.wav is in both"),  # whose it is, is not known
        ("1000 steps at 0.5", "1000 steps at 0.5"),
        ("nothing", "nothing"),
    ],
)
def test_paths_become_names(said, shown):
    assert reword(said, FOLDER, NAMES) == shown


def test_notes_name_no_option_of_the_command_line():
    """Every note that a conversion can give is said without the options that it names."""
    package = Path(voxcycle.__file__).parent
    names = ("pipeline", "analysis", "loudness", "pitch_correction", "stages")
    files = [package / "conversion" / f"{name}.py" for name in names]
    texts = [
        node.value
        for file in (*files, *package.glob("audio/*.py"))
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    named = [text for text in texts if re.search("--[a-z]", text)]
    assert len(named) == 2
    assert not [text for text in map(without_options, named) if "--" in text]


def test_files_of_the_server_are_shown_without_their_folders():
    said = f"{FOLDER}/run/last.ckpt: damaged; another voice is named x (/srv/data/voices/x.st)"
    shown = "last.ckpt: damaged; another voice is named x (x.st)"
    assert without_folders(said, FOLDER, Path("/srv/data")) == shown
    assert without_folders("/srv/serve: full", Path("/srv/serve")) == "the server's folder: full"
