"""Recordings in folders: which files are taken, and what is passed over."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from voxcycle.audio.ffmpeg import SUFFIXES, find_ffmpeg, needs_ffmpeg

READABLE_SUFFIXES = frozenset(
    ".wav .wave .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .snd .caf .w64 .rf64".split()
)
AUDIO_SUFFIXES = READABLE_SUFFIXES | SUFFIXES


class Found(NamedTuple):
    """Recordings of a folder, sorted; in `problems`, what failed and why; and other files."""

    files: list[Path]
    problems: list[tuple[Path, str]]
    others: list[Path]


def find_audio(folder: Path, recursive: bool = True) -> Found:
    """Return the recordings in a folder and those below it, and what was passed over.

    Linked folders are followed, each once. What is hidden is left out and not mentioned.
    """
    found, seen, problems = [], set(), []

    def report(error: OSError) -> None:
        reason = f"the folder cannot be read ({error.strerror}); make it readable, or move it away"
        problems.append((Path(error.filename), reason))

    for name, folders, files in os.walk(folder, followlinks=True, onerror=report):
        here = Path(name)
        real = here.resolve()
        folders[:] = [] if real in seen or not recursive else folders
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        if real not in seen:
            found += [here / file for file in files if not file.startswith(".")]
        seen.add(real)
    audio = sorted(path for path in found if path.suffix.lower() in AUDIO_SUFFIXES)
    others = sorted(path for path in found if path.suffix.lower() not in AUDIO_SUFFIXES)
    lacking = {path for path in audio if needs_ffmpeg(path)} if find_ffmpeg() is None else set()
    if lacking:
        remedy = "install it, or save the sound as wav, flac or mp3 first"
        reason = f"{count_files(lacking)} passed over for want of ffmpeg: {remedy}"
        problems.append((folder, reason))
    return Found([path for path in audio if path not in lacking], problems, others)


def list_audio(folder: Path, recursive: bool = True) -> list[Path]:
    """Return the files of `find_audio`."""
    return find_audio(folder, recursive).files


def count_files(paths: Iterable[Path]) -> str:
    """Return how many files there are, and their extensions."""
    listed = list(paths)
    kinds = ", ".join(sorted({path.suffix.lower() or "none" for path in listed}))
    return f"{len(listed)} file{'s' * (len(listed) != 1)} ({kinds})"
