"""Cutting and screening of a folder of recordings, as every task that makes a voice begins."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from voxcycle.speech.prepare import Prepared, prepare_folder
from voxcycle.speech.screening import compare_clips

INDEX = re.compile(r"(\d{4})[-.]")
Tell = Callable[[dict[str, Any]], None]


def cut(folder: Path, clips: Path, tell: Tell, first: float = 0.0, last: float = 1.0) -> Prepared:
    """Cut a folder into clips, and tell of it as a share between `first` and `last`."""

    def advance(done: int, total: int) -> None:
        share = first + (last - first) * done / max(total, 1)
        tell({"share": share, "message": f"cutting and screening, {done} of {total}"})

    return prepare_folder(
        folder, clips, overwrite=True, n_jobs=1, advance=advance, compare=compare_clips
    )


def shown(file: str, names: Mapping[int, str]) -> str:
    """Return the name under which a recording was sent, of a file that was linked for a job."""
    match = INDEX.match(Path(file).name)
    return names.get(int(match[1]), file) if match else file


def describe(prepared: Prepared, names: list[str]) -> dict[str, Any]:
    """Return what was kept and dropped as plain values, by the names that the client gave."""
    known = dict(enumerate(names))
    kept = [
        {
            "name": shown(piece.source, known),
            "start_s": piece.start_s,
            "seconds": piece.quality.duration_s,
            "file": piece.file,
        }
        for piece in prepared.kept
    ]
    dropped = [
        {
            "name": shown(piece.source, known),
            "start_s": piece.start_s,
            "seconds": piece.quality.duration_s,
            "reason": piece.problem,
        }
        for piece in prepared.pieces
        if piece.problem
    ]
    dropped += [{"name": shown(n, known), "reason": r} for n, r in prepared.unreadable]
    notes = [f"{shown(name, known)}: {note}" for name, note in prepared.notes]
    others = [piece for piece in prepared.kept if piece.is_other]
    if prepared.describe_others():
        sources = dict.fromkeys(shown(piece.source, known) for piece in others)
        notes.append(
            f"About {len(others)} of {len(kept)} clips sound like another person "
            f"({', '.join(list(sources)[:3])}): use recordings of one speaker."
        )
    return {
        "kept": kept,
        "dropped": dropped,
        "minutes": round(prepared.minutes, 2),
        "minutes_kept": round(prepared.minutes_kept(), 2),
        "notes": notes,
    }
