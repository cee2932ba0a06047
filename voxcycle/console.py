"""Messages and progress on the terminal."""

import errno
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

PATIENCE_S = 2.0
REPORT_S = 10.0  # between lines of JSON
PIPE_WIDTH = 1000
MAX_LINE, END_OF_LINE = 5000, 300  # characters; a path has up to 4096 bytes
EXIT_FAILED = 2
REMEDIES = {
    errno.ENOSPC: "make room, then run the command again",
    errno.EDQUOT: "make room, then run the command again",
    errno.EFBIG: "name a disk that takes files of this size",
    errno.EROFS: "name another folder",
}


def to_line(text: str) -> str:
    r"""Return a message as one line that leaves a terminal as it is.

    Names in files and of files may hold anything: control characters become escapes such as
    `\n`, and of a very long message the middle is left out.
    """
    if len(text) > MAX_LINE:
        text = f"{text[: MAX_LINE - END_OF_LINE]} ... {text[-END_OF_LINE:]}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@contextmanager
def errors_in_one_sentence() -> Iterator[None]:
    """Exit with code 2 and one sentence on stderr where input or files cannot be used.

    With the environment variable VOXCYCLE_TRACEBACK errors are raised, to find faults.
    """
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        if os.environ.get("VOXCYCLE_TRACEBACK"):
            raise
        print(to_line(f"error: {_describe(error)}"), file=sys.stderr)
        sys.exit(EXIT_FAILED)


def _describe(error: Exception) -> str:
    """Return one sentence: what errors of the system lack is said for them."""
    if isinstance(error, PermissionError):
        return f"{error.filename or 'a file'}: permission denied; make it yours, or name another"
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"the package {error.name} is missing: install it, or the extra that brings it"
    if not isinstance(error, OSError) or not error.filename or not error.strerror:
        return str(error)
    remedy = REMEDIES.get(error.errno or 0)
    return f"{error.filename}: {error.strerror}" + (f"; {remedy}" if remedy else "")


def open_console(stderr: bool = True) -> "Console":
    """Return a console whose `print` takes texts by `to_line`: brackets are no markup to it."""
    from rich.console import Console

    class LineConsole(Console):
        def print(self, *objects: Any, **options: Any) -> None:
            lines = (to_line(item) if isinstance(item, str) else item for item in objects)
            super().print(*lines, **options)

    console = LineConsole(stderr=stderr, markup=False, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = PIPE_WIDTH  # tables are whole in pipes
    return console


def open_progress(in_percent: bool = False) -> "Progress":
    """Return a bar on stderr, nothing where that is no terminal; it goes when its work is done.

    It counts steps, or their percentage.
    """
    from rich import progress

    console = open_console()
    return progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.TaskProgressColumn() if in_percent else progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


@contextmanager
def late_progress(description: str, total: int) -> Iterator[Callable[[], None]]:
    """Yield what to call after each of `total` steps; a bar appears after `PATIENCE_S`."""
    progress = open_progress()
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


class BatchProgress:
    """Progress of many recordings: a bar on a terminal, else a line of JSON every ten seconds."""

    def __init__(self, bar: "Progress") -> None:
        self.console = bar.console
        self._bar, self._task = bar, bar.add_task("converting", total=None)
        self._started = self._reported = time.monotonic()

    def update(
        self, done: float, total: int, description: str, *, n_failed: int = 0, n_kept: int = 0
    ) -> None:
        """Show how many recordings are done, shares included, and which one is at work.

        `n_kept` of them were done before, in no time.
        """
        shown_name = to_line(description)
        self._bar.update(self._task, completed=done, total=total, description=shown_name)
        now = time.monotonic()
        if self.console.is_terminal or now - self._reported < REPORT_S:
            return
        self._reported = now
        left_s = (now - self._started) * (total - done) / max(done - n_kept, 1e-3)
        shown = {"done": int(done), "of": total, "failed": n_failed, "seconds_left": round(left_s)}
        self.console.print(json.dumps(shown))


@contextmanager
def open_batch_progress() -> Iterator[BatchProgress]:
    """Yield the progress of a batch, on stderr."""
    with open_progress(in_percent=True) as bar:
        yield BatchProgress(bar)
