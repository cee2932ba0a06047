"""An evaluation on the terminal: progress while it runs, then the table and what failed."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from voxcycle.console import open_console, open_progress
from voxcycle.evaluation.run import Evaluation, evaluate_voice
from voxcycle.evaluation.stats.compare import compare, describe, difference_cells
from voxcycle.evaluation.stats.summary import (
    COLUMNS,
    MEAN,
    markdown_table,
    print_value,
    table_cells,
)
from voxcycle.evaluation.systems import STANDARD_SYSTEMS, Speaker
from voxcycle.voices.voice import Voice


def evaluate_with_progress(
    voice: Voice, sources: tuple[Speaker, ...], target: Speaker | None, **options: Any
) -> Evaluation:
    """Run `evaluate_voice` with a progress bar on stderr; options are the same."""
    with open_progress() as progress:
        task = progress.add_task("Evaluating", total=None)
        return evaluate_voice(
            voice,
            sources,
            target,
            on_scored=lambda done, total: progress.update(task, completed=done, total=total),
            **options,
        )


def print_evaluation(evaluation: Evaluation) -> None:
    """Print the summary, drawn on a terminal, else as Markdown; what failed goes to stderr."""
    messages = open_console()
    lines = evaluation.summary()
    _print_table(table_cells(lines), [line.speaker == MEAN for line in lines])
    shown = [line for line in lines if line.row not in STANDARD_SYSTEMS]
    for column, (low, high) in (shown[-1].intervals if shown else {}).items():
        heading, form = COLUMNS[column]
        ends = f"{print_value(low, form)} to {print_value(high, form)}"
        messages.print(f"{shown[-1].row}, {shown[-1].speaker}, 95 % of {heading}: {ends}")
    cost = evaluation.about["cost"]
    stages = ", ".join(f"{stage} {value:g}" for stage, value in cost["real_time_factor"].items())
    memory_mb = cost["peak_memory_mb"]
    peak = "" if memory_mb is None else f"; peak {memory_mb} MB"
    messages.print(f"seconds per second of audio: {stages}{peak}")
    for note in evaluation.notes():
        messages.print(f"note: {note}")
    for scores in evaluation.scores:
        for failure in scores.failures:
            messages.print(f"failed: {scores.row}, {scores.speaker} {scores.sentence}: {failure}")
    messages.print(f"{len(evaluation.scores)} utterances in {evaluation.about['wall_s']} s")


def print_comparison(first: Evaluation, second: Evaluation) -> None:
    """Print two evaluations' differences, drawn on a terminal, else as Markdown."""
    differences = compare(first, second)
    messages = open_console()
    for line in describe(first, second):
        messages.print(line)
    rows = [d.row for d in differences]
    is_last = [a != b for a, b in zip(rows, [*rows[1:], None], strict=True)]
    _print_table(difference_cells(differences), is_last)


def _print_table(cells: Sequence[Sequence[str]], ends_section: Sequence[bool]) -> None:
    console = Console()
    if not console.is_terminal:
        print(markdown_table(cells))
        return
    headings, *body = cells
    table = Table(*headings)
    for row, is_end in zip(body, ends_section, strict=True):
        table.add_row(*row, end_section=is_end)
    console.print(table)
