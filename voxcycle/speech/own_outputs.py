"""What this program has made itself: it is never taken for recordings of a speaker."""

import json
from pathlib import Path

from voxcycle.files import CHECKPOINT_FILE, CONFIG_FILE

REPORT = "report.json"  # in a folder of prepared clips
SPLIT_FILE = "split.json"  # in the folder of a voice's run, before its first checkpoint
IS_CONVERSION = "a conversion, not a recording"


def is_run(folder: Path) -> bool:
    """Return whether a folder is that of a training."""
    has_state = any((folder / name).is_file() for name in (CHECKPOINT_FILE, SPLIT_FILE))
    return has_state and (folder / CONFIG_FILE).is_file()


def is_prepared(folder: Path) -> bool:
    """Return whether a folder holds clips that `voxcycle prepare` or a training has cut."""
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(report, dict) and "pieces" in report


def is_conversion(path: Path) -> bool:
    """Return whether the tags of an audio file say that this program converted it."""
    import soundfile

    from voxcycle.audio.io import CONVERTED

    try:
        with soundfile.SoundFile(path) as opened:
            return bool(opened.comment.startswith(CONVERTED))
    except (soundfile.SoundFileError, OSError, RuntimeError, TypeError, UnicodeError):
        return False
