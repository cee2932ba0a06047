"""Messages in the client's words."""

from pathlib import Path

import pytest

from voxcycle.web.wording import reword

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
