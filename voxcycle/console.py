"""Messages and progress on the terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

PATIENCE_S = 2.0


def open_console(stderr: bool = True) -> "Console":
    """Return a console that prints lines as they are: names hold brackets and may be long."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def late_progress(description: str, total: int) -> Iterator[Callable[[], None]]:
    """Yield what to call after each of `total` steps.

    A bar appears on stderr, where that is a terminal, after `PATIENCE_S`.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = open_console()
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
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
