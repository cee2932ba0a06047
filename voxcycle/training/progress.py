"""The progress of a training on stderr, and how Ctrl-C ends it."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from voxcycle.training.state import TrainingState

MIN_WIDTH_FOR_LOSSES = 160  # columns of the terminal; TensorBoard has them anyway


class LiveProgress:
    """A progress bar: steps, speed, time left, and on wide terminals the loss terms.

    Where stderr is no terminal, a line every half minute.
    """

    def __init__(self, state: TrainingState, n_steps: int, console: Console) -> None:
        self.state, self.n_steps, self.console = state, n_steps, console
        self.first, self.printed = state.steps_done, 0.0
        self.bar = Progress(
            TextColumn("Training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]} | left"),
            TimeRemainingColumn(),
            TextColumn("| {task.fields[losses]}"),
            console=console,
        )
        self.task = self.bar.add_task(
            "train", total=n_steps, completed=self.first, speed="", losses=""
        )

    def __enter__(self) -> Self:
        self.started = time.monotonic()
        if self.console.is_terminal:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.console.is_terminal:
            self.bar.stop()

    def update(self) -> None:
        """Show the state's step, if the last one shown is old."""
        now, step = time.monotonic(), self.state.steps_done
        if now - self.printed < (0.5 if self.console.is_terminal else 30.0):
            return
        self.printed = now
        speed = (step - self.first) / max(now - self.started, 1e-9)
        losses = " ".join(
            f"{name.split('/')[-1]} {float(value):.2f}" for name, value in self.state.logged.items()
        )
        if self.console.is_terminal:
            shown = losses if self.console.width >= MIN_WIDTH_FOR_LOSSES else ""
            self.bar.update(self.task, completed=step, speed=f"{speed:.1f} steps/s", losses=shown)
        else:
            left = (self.n_steps - step) / max(speed, 1e-9) / 60
            self.console.print(
                f"step {step}/{self.n_steps}, {speed:.2f} steps/s, {left:.0f} min left | {losses}",
                soft_wrap=True,
            )


@contextmanager
def first_interrupt() -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl-C sets; a second one interrupts at once."""
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    former = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: FrameType | None) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, former)

    signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, former)


def ignore_interrupts(*_: object) -> None:
    """Leave Ctrl-C to the process that this one works for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
