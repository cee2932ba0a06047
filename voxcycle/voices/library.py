"""The library of voices: those in the package and the user's own in the data directory.

A voice's name is its file's name without the suffix. The user's own come first, so that one added
with `overwrite` replaces a shipped one.
"""

import difflib
import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from voxcycle.artifacts import VOICE, ArtifactError, read_header
from voxcycle.files import check_writable, data_dir, replacing
from voxcycle.voices.voice import Voice, VoiceError, check_voice_name

SUFFIX = ".safetensors"
EMBEDDED_DIR = Path(__file__).with_name("embedded")


@dataclass(frozen=True)
class VoiceSummary:
    """A line of the list of voices; empty strings mean "not stated".

    `source` is whom it converts, empty for anyone; `error` says why a file cannot be used.
    """

    name: str
    path: Path
    origin: Literal["shipped", "own"]
    n_bytes: int
    language: str = ""
    sex: str = ""
    source: str = ""
    licence: str = ""
    scores: dict[str, Any] = field(default_factory=dict)
    is_any_to_one: bool = False
    error: str = ""


def own_voices_dir() -> Path:
    """Return the folder of the user's own voices, which need not exist."""
    return data_dir() / "voices"


def check_own_voices() -> None:
    """Raise OSError, one sentence, where no voice can be added to the user's own."""
    check_writable(own_voices_dir(), "make it yours, or set VOXCYCLE_DATA to another folder")


def find_voice(name_or_path: str | Path) -> Path:
    """Return the file of a voice by name, or by path (a separator or the suffix makes it one).

    VoiceError, with known and similar names, where there is none.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or names_file(text):
        path = Path(name_or_path)
        if not path.is_file():
            raise VoiceError(f"{path}: no such voice file")
        return path
    files = _voice_files()
    if text in files:
        return files[text]
    if not files:
        raise VoiceError(
            f"unknown voice {text!r}: no voice is installed; train one with `voxcycle train`, or "
            "add a file with `voxcycle voices add`"
        )
    similar = difflib.get_close_matches(text.lower(), files, n=2)
    hint = f" (did you mean {' or '.join(similar)}?)" if similar else ""
    raise VoiceError(f"unknown voice {text!r}{hint}: known are {', '.join(sorted(files))}")


def names_file(text: str) -> bool:
    """Return whether a name is the path of a voice file rather than a voice's name."""
    return text.endswith(SUFFIX) or "/" in text or os.sep in text


def load_voice(name_or_path: str | Path) -> Voice:
    """Load a voice by name or path; errors as those of `find_voice` and `Voice.load`."""
    return Voice.load(find_voice(name_or_path))


def list_voices() -> list[VoiceSummary]:
    """Return all voices by name, from headers alone; a damaged file is listed with its error."""
    return [_summarize(name, path) for name, path in sorted(_voice_files().items())]


def add_voice(path: Path, overwrite: bool = False) -> Path:
    """Copy a checked voice file to the user's own voices under its card's name; return where it is.

    With `overwrite`, it replaces another voice of that name, or hides a shipped one.

    Raises:
        ArtifactError: the file is damaged or no voice.
        VoiceError: its name cannot be a file's, or the name is taken.
        OSError: the folder of the voices cannot be written to.
    """
    check_own_voices()
    name = Voice.load(path).card.name
    check_voice_name(name, f"{path}: ")
    target = own_voices_dir() / f"{name}{SUFFIX}"
    present = _voice_files().get(name)
    if present is not None and present.read_bytes() == path.read_bytes():
        return present
    if present is not None and not overwrite:
        raise VoiceError(
            f"{path}: another voice is named {name!r} ({present}); add --overwrite to replace it"
        )
    with replacing(target) as partial:
        shutil.copyfile(path, partial)
    return target


def remove_voice(name: str) -> Path:
    """Delete one of the user's own voices; return the file that was deleted.

    A shipped voice of that name is there again afterwards. VoiceError where there is none, or where
    it is a shipped one.
    """
    path = find_voice(name)
    if path.parent != own_voices_dir():
        raise VoiceError(f"{name}: not a voice of your own; only those can be removed")
    path.unlink()
    return path


def _voice_files() -> dict[str, Path]:
    """Return the files by voice name, the user's own in place of shipped ones."""
    found: dict[str, Path] = {}
    for folder in (EMBEDDED_DIR, own_voices_dir()):
        found |= {path.stem: path for path in folder.glob(f"*{SUFFIX}")}
    return found


def _summarize(name: str, path: Path) -> VoiceSummary:
    """Read one header."""
    origin: Literal["shipped", "own"] = "shipped" if path.parent == EMBEDDED_DIR else "own"
    summary = VoiceSummary(name, path, origin, n_bytes=0)
    try:
        summary = replace(summary, n_bytes=path.stat().st_size)
        header = read_header(path, VOICE)
        card = header["card"]
        return replace(
            summary,
            language=str(card["language"]),
            sex=str(card["sex"]),
            source=str(card.get("source", "")),
            licence=str(card["licence"]),
            scores=dict(card["scores"]),
            is_any_to_one=bool(header["is_any_to_one"]),
        )
    except (OSError, ArtifactError) as error:
        return replace(summary, error=str(error))
    except (KeyError, TypeError, ValueError):
        return replace(summary, error=f"{path}: the voice's header is damaged; fetch it again")
