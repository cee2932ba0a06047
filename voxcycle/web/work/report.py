"""What the recordings of two speakers hold: kept, dropped, and why."""

import importlib.util
from pathlib import Path
from typing import Any

from voxcycle.speech.corpus import MIN_FILES, MIN_TOTAL_S, CorpusError
from voxcycle.web.wording import reword
from voxcycle.web.work.clips import Tell, cut, describe


def work(task: dict[str, Any], tell: Tell) -> None:
    """Cut and screen both sides; a side without a usable clip says so."""
    folder, names = Path(task["folder"]), task["names"]
    sides = [side for side in ("a", "b") if names[side]]
    for n, side in enumerate(sides):
        clips = folder / f"clips-{side}"
        first, last = n / len(sides), (n + 1) / len(sides)
        try:
            prepared = cut(folder / side, clips, tell, first, last)
        except CorpusError as error:
            note = reword(str(error), folder, {side: names[side]})
            empty: dict[str, Any] = {"kept": [], "dropped": [], "minutes": 0.0, "minutes_kept": 0.0}
            tell({"side": side, "found": empty | {"notes": [note]}})
            continue
        found = describe(prepared, names[side])
        if 60 * prepared.minutes_kept() < MIN_TOTAL_S or len(prepared.kept) < MIN_FILES:
            found["notes"].append(
                f"A training needs {MIN_TOTAL_S:.0f} seconds of usable speech in {MIN_FILES} clips "
                "at least; five minutes are a good start."
            )
        if importlib.util.find_spec("matplotlib"):
            from voxcycle.speech.picture import draw_report

            draw_report(prepared, clips)
        tell({"side": side, "found": found})
