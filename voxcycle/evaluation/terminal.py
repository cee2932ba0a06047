"""An evaluation on the terminal: progress while it runs, then the table and what failed."""

from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from voxcycle.evaluation.evaluate import Evaluation, evaluate_voice
from voxcycle.evaluation.report import MEAN, markdown_table, summarize, table_cells
from voxcycle.evaluation.rows import Speaker
from voxcycle.voices.voice import Voice


def evaluate_with_progress(
    voice: Voice, sources: tuple[Speaker, ...], target: Speaker, **options: Any
) -> Evaluation:
    """Run `evaluate_voice` with a progress bar on stderr; options are the same."""
    with Progress(console=Console(stderr=True), transient=True) as progress:
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
    console, messages = Console(), Console(stderr=True)
    lines = summarize(evaluation.scores)
    if console.is_terminal:
        headings, *body = table_cells(lines)
        table = Table(*headings)
        for cells, line in zip(body, lines, strict=True):
            table.add_row(*cells, end_section=line.speaker == MEAN)
        console.print(table)
    else:
        print(markdown_table(lines))
    for scores in evaluation.scores:
        for failure in scores.failures:
            messages.print(f"failed: {scores.row}, {scores.speaker} {scores.sentence}: {failure}")
    messages.print(f"{len(evaluation.scores)} utterances in {evaluation.about['wall_s']} s")
