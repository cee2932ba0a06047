"""Progress of what may take long."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE_S = 2.0


@contextmanager
def late_progress(description: str, total: int) -> Iterator[Callable[[], None]]:
    """Yield what to call after each of `total` steps.

    A bar appears on stderr, where that is a terminal, once they have taken `PATIENCE_S`.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    progress = Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    task = progress.add_task(description, total=total)
    started = time.monotonic()

    def advance() -> None:
        progress.advance(task)
        if time.monotonic() - started > PATIENCE_S:
            progress.start()

    try:
        yield advance
    finally:
        progress.stop()
