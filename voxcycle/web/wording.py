"""Messages about a job's files in the client's words: its names, and no paths of the server."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

PLACES = {
    "recordings": "the recordings",
    "references": "the references",
    "a": "the recordings of a",
    "b": "the recordings of b",
}
LINKED = re.compile(r"(?<![\w/])(\d{4})(?:\.[a-z0-9]{1,5})?(?:-\d{3}\.flac)?(?![\w/.])")


def count_recordings(n: int) -> str:
    """Return a number of recordings in words."""
    return f"{n} recording{'s' * (n != 1)}"


def without_options(note: str) -> str:
    """Return a note on a conversion without the options of the command line that it names."""
    return note.replace("--vocoder fast", "the vocoder fast").replace(" (--file-stats)", "")


def without_folders(sentence: str, *folders: Path) -> str:
    """Return a sentence with the bare names of the files below folders of the server."""
    for folder in folders:
        sentence = re.sub(re.escape(str(folder)) + r"(?:/[^\s/:,;()]+)*/", "", sentence)
        sentence = sentence.replace(str(folder), "the server's folder")
    return sentence


def reword(sentence: str, folder: Path, names: Mapping[str, Sequence[str]]) -> str:
    """Return a sentence with the names that the client gave.

    Args:
        sentence: what voxcycle says of files in a job's folder.
        folder: of the job.
        names: by the place within the folder, in the order of the links (`Uploads.link`).
    """
    for place, shown in names.items():
        for index, name in enumerate(shown):
            path = re.escape(f"{folder / place}/{index:04}") + r"(\.[a-z0-9]{1,5})?(?![\w.])"
            sentence = re.sub(path, name.replace("\\", r"\\"), sentence)
    mentioned = [p for p in names if str(folder / p) in sentence] or [p for p in names if names[p]]
    for place in PLACES:
        sentence = re.sub(re.escape(str(folder / place)) + r"(?![\w-])", PLACES[place], sentence)
    sentence = re.sub(re.escape(str(folder)) + r"(/[\w./-]*)?", "the job's folder", sentence)
    if len(mentioned) == 1:
        shown = names[mentioned[0]]

        def find(match: re.Match[str]) -> str:
            index = int(match[1])
            return shown[index] if index < len(shown) else match[0]

        sentence = LINKED.sub(find, sentence)
    return sentence[:1].upper() + sentence[1:] if sentence.startswith("the ") else sentence
