"""What `voxcycle convert` says while it works: progress, results, what is left."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from voxcycle.conversion.batch import Batch
    from voxcycle.conversion.plan import PlannedFile
    from voxcycle.conversion.task import FileResult


def run_batch(batch: "Batch", info: "Console | None") -> int:
    """Convert with a progress bar on stderr, or lines of JSON in a pipe; return how many failed.

    Each output is printed to `info`, and each note and error to stderr, when its file is done.
    """
    from voxcycle.console import open_batch_progress

    shares: dict[int, float] = {}
    n_failed = n_kept = 0
    with open_batch_progress() as bar:
        errors = bar.console

        def report(planned: "PlannedFile", share: float) -> None:
            shares[id(planned)] = share
            shown = Path(planned.label).name
            n_all = len(batch.plan)
            bar.update(sum(shares.values()), n_all, shown, n_failed=n_failed, n_kept=n_kept)

        for index, result in _say_how_to_go_on(batch, batch.run(report)):
            n_failed += result.error is not None
            n_kept += result.is_kept and result.error is None
            name = batch.plan[index].label
            for note in result.notes:
                errors.print(f"note: {name}: {note}")
            if result.error:
                errors.print(f"error: {result.error}")
            elif info and not result.is_kept:
                # On a terminal the line goes above the bar, by the bar's console.
                console = errors if sys.stderr.isatty() and sys.stdout.isatty() else info
                cast = f" ({batch.plan[index].voice})" if len(batch.voices) > 1 else ""
                console.print(f"{name} -> {result.output}{cast}")
    n_all = len(batch.plan)
    if n_kept:
        errors.print(
            f"{n_all - n_failed - n_kept} of {n_all} files were converted, {n_kept} before"
        )
    elif n_failed and n_all > 1:
        errors.print(f"{n_all - n_failed} of {n_all} files were converted")
    elif not n_all:
        errors.print("nothing to convert: no recording belongs to this shard")
    for path in batch.written_lists if info else ():
        errors.print(f"list of the outputs: {path}")
    return n_failed


def _say_how_to_go_on(
    batch: "Batch", results: "Iterator[tuple[int, FileResult]]"
) -> "Iterator[tuple[int, FileResult]]":
    """Yield the results of a batch; after Ctrl-C say what is left of it."""
    try:
        yield from results
    except KeyboardInterrupt:
        if batch.is_resumable:
            typer.echo("stopped: the same command again goes on", err=True)
        raise


def print_choice(info: "Console", batch: "Batch") -> None:
    """Say which voices and vocoder are used."""
    for card in batch.cards:
        whom = f" (for recordings of {card.source})" if card.source else ""
        info.print(f"voice {card.name}{whom}, vocoder {batch.vocoder}")
        missing = [field for field in ("licence", "consent") if not getattr(card, field)]
        if missing:
            info.print(f"the voice {card.name}: {' and '.join(missing)} not stated")


def print_estimate(info: "Console", batch: "Batch") -> None:
    """Say what there is to do, and about how long it takes."""
    from voxcycle.conversion.estimate import estimate

    found = estimate(batch)
    for error in found.errors:
        info.print(f"error: {error}")
    info.print(
        f"to convert: {found.n_left} recordings, {found.hours:.2f} hours; converted before: "
        f"{found.n_done}; cannot be converted: {len(found.errors)}"
    )
    if found.seconds is not None:
        is_long = found.seconds > 90
        lasts = f"{found.seconds / 60:.0f} minutes" if is_long else f"{found.seconds:.0f} seconds"
        plural = "es" * (found.n_processes > 1)
        info.print(f"about {lasts} with {found.n_processes} process{plural} on this machine")
