"""Hooks that keep what a training has reached: its network once a minute, its losses as lines.

A run that is killed on another machine leaves both, in files small enough to bring back.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from voxcycle.files import replacing
from voxcycle.training.state import TrainingState

LOG_FILE = "log.jsonl"  # in the folder of a run
SECONDS_BETWEEN = 60.0


class RegularSaves:
    """A hook that saves what the state holds once a minute, under one name."""

    def __init__(
        self,
        path: Path,
        save: Callable[[TrainingState, Path], None],
        seconds: float = SECONDS_BETWEEN,
    ) -> None:
        self.path, self.save, self.seconds = path, save, seconds
        self.saved = time.monotonic()

    def __call__(self, state: TrainingState, writer: Any) -> None:
        """Save if a minute is over."""
        if time.monotonic() - self.saved >= self.seconds:
            self.save(state, self.path)
            self.saved = time.monotonic()


class LogLines:
    """A hook that writes the losses of every n-th step as a line of JSON.

    A line has `step`, `seconds` since the first step of this call, and the terms. Lines of steps
    that are trained again, after a kill, are replaced.
    """

    def __init__(self, path: Path, every: int) -> None:
        self.path, self.every = path, every
        self.started: float | None = None

    def __call__(self, state: TrainingState, writer: Any) -> None:
        """Write a line if it is time for one."""
        if self.started is None:
            self.started = time.monotonic()
            self._drop_from(state.steps_done)
        if state.steps_done % self.every == 0:
            terms = {name: round(float(value), 5) for name, value in state.logged.items()}
            seconds = round(time.monotonic() - self.started, 2)
            line = json.dumps({"step": state.steps_done, "seconds": seconds} | terms)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")

    def _drop_from(self, step: int) -> None:
        """Keep the lines of earlier steps; a line that a kill has cut goes as well."""
        if not self.path.exists():
            return
        kept = []
        for line in self.path.read_text("utf-8").splitlines():
            try:
                is_earlier = json.loads(line)["step"] < step
            except ValueError:
                is_earlier = False
            kept += [line] * is_earlier
        with replacing(self.path) as partial:
            partial.write_text("".join(f"{line}\n" for line in kept), "utf-8")
