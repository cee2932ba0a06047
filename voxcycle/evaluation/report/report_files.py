"""The report of an evaluation: a folder with every score, a page and the table to be pasted."""

import os
from pathlib import Path

from voxcycle.evaluation.report.page import write_page
from voxcycle.evaluation.run import Evaluation
from voxcycle.evaluation.stats.summary import markdown_table, table_cells
from voxcycle.evaluation.systems import Speaker
from voxcycle.files import replacing
from voxcycle.voices.voice import Voice

FILES = ("metrics.json", "report.html", "summary.md")


def check_report(folder: Path) -> None:
    """Raise OSError where a report could not be written, before the work for it is done."""
    parent = folder.absolute()
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        raise NotADirectoryError(f"{parent}: a file, where the report needs a folder; name another")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise PermissionError(f"{parent}: the folder is read-only; name another for the report")
    for name in FILES:
        if (folder / name).is_dir():
            raise IsADirectoryError(
                f"{folder / name}: a folder, where the report's file belongs; name another folder"
            )


def write_report(
    folder: Path, evaluation: Evaluation, sources: tuple[Speaker, ...], voice: Voice
) -> list[Path]:
    """Write `metrics.json`, `report.html` and `summary.md`; each appears when it is complete.

    Args:
        folder: made if missing.
        evaluation: with its audio.
        sources: the speakers that were converted, as given to `evaluate_voice`.
        voice: the voice that was evaluated.

    Returns:
        The files.
    """
    metrics, page, summary = paths = [folder / name for name in FILES]
    evaluation.save(metrics)
    write_page(page, evaluation, sources, voice)
    with replacing(summary) as partial:
        partial.write_bytes(make_summary(evaluation).encode("utf-8", "backslashreplace"))
    return paths


def make_summary(evaluation: Evaluation) -> str:
    """Return the summary as a Markdown table, and the notes below it as a list."""
    table = markdown_table(table_cells(evaluation.summary()))
    notes = "".join(f"- {note}\n" for note in evaluation.notes())
    return f"{table}\n" + (f"\n{notes}" if notes else "")
