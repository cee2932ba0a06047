"""What happens beside the training step: checkpoints, scalars, progress, and the end."""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from types import FrameType
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from voxcycle.files import replacing
from voxcycle.methods.phase import PhasedModule

MAX_SECONDS_BETWEEN = 300.0  # two checkpoints
MIN_WIDTH_FOR_LOSSES = 160  # columns of the terminal; TensorBoard has them anyway


class StepLimit(Callback):
    """Stops after a number of batches, counted over all resumptions, or after Ctrl-C.

    Ctrl-C ends the step under way, so that the checkpoint at the end is that of a whole step; a
    second one interrupts at once.

    Attributes:
        is_interrupted: whether Ctrl-C was pressed.
    """

    def __init__(self, n_steps: int) -> None:
        self.n_steps = n_steps
        self.is_interrupted = False
        self._former: Any = None

    def on_fit_start(self, trainer: Trainer, module: PhasedModule) -> None:  # type: ignore[override]  # noqa: D102
        if threading.current_thread() is threading.main_thread():
            self._former = signal.signal(signal.SIGINT, self._interrupt)

    def on_train_batch_end(self, trainer: Trainer, module: PhasedModule, *_: Any) -> None:  # type: ignore[override]  # noqa: D102
        trainer.should_stop = self.is_interrupted or int(module.steps_done) >= self.n_steps

    def on_fit_end(self, trainer: Trainer, module: PhasedModule) -> None:  # type: ignore[override]  # noqa: D102
        self._restore()

    def on_exception(  # noqa: D102
        self, trainer: Trainer, module: LightningModule, exception: BaseException
    ) -> None:
        self._restore()

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.is_interrupted = True
        self._restore()

    def _restore(self) -> None:
        if self._former is not None:
            signal.signal(signal.SIGINT, self._former)
            self._former = None


class Checkpoint(Callback):
    """Writes one local Lightning checkpoint every n steps and at the end, replacing the last one.

    And after five minutes without one: slow machines lose no more than that.

    It is written under a temporary name and renamed: a killed training keeps the former one.
    """

    def __init__(self, path: Path, every: int) -> None:
        self.path = path
        self.every = every
        self.saved = time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, module: PhasedModule, *_: Any) -> None:  # type: ignore[override]  # noqa: D102
        is_late = time.monotonic() - self.saved > MAX_SECONDS_BETWEEN
        if int(module.steps_done) % self.every == 0 or is_late:
            self._save(trainer)

    def on_fit_end(self, trainer: Trainer, module: PhasedModule) -> None:  # type: ignore[override]  # noqa: D102
        self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        with replacing(self.path) as partial:
            trainer.save_checkpoint(partial)
        self.saved = time.monotonic()


class Snapshots(Callback):
    """Keeps what a training makes as it is every n steps, for the curve of quality over time.

    Args:
        stem: the files are named `stem-STEP.safetensors`.
        every: n.
        save: writes what the module holds to a path.
    """

    def __init__(self, stem: Path, every: int, save: Callable[[PhasedModule, Path], None]) -> None:
        self.stem, self.every, self.save = stem, every, save

    def on_train_batch_end(self, trainer: Trainer, module: PhasedModule, *_: Any) -> None:  # type: ignore[override]  # noqa: D102
        step = int(module.steps_done)
        if step % self.every == 0:
            self.save(module, self.stem.with_name(f"{self.stem.name}-{step}.safetensors"))


class Scalars(Callback):
    """Logs the loss terms every n steps, with our own batch counter as the axis."""

    def __init__(self, every: int) -> None:
        self.every = every

    def on_train_batch_end(self, trainer: Trainer, module: PhasedModule, *_: Any) -> None:  # type: ignore[override]  # noqa: D102
        step = int(module.steps_done)
        if step % self.every == 0 and trainer.logger is not None:
            values = {name: float(value) for name, value in module.logged.items()}
            trainer.logger.log_metrics(values, step=step)


class LiveProgress(Callback):
    """A progress bar on stderr: steps, speed, time left, and on wide terminals the loss terms.

    Where stderr is no terminal, a line every half minute.
    """

    def __init__(self, n_steps: int, console: Console | None = None) -> None:
        self.n_steps = n_steps
        self.console = console or Console(stderr=True)
        self.progress: Progress | None = None
        self.spoken = 0.0

    def on_fit_start(self, trainer: Trainer, module: PhasedModule) -> None:  # type: ignore[override]  # noqa: D102
        self.started, self.first = time.monotonic(), int(module.steps_done)
        if self.console.is_terminal:
            self.progress = Progress(
                TextColumn("Training"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[speed]} | left"),
                TimeRemainingColumn(),
                TextColumn("| {task.fields[losses]}"),
                console=self.console,
            )
            self.task = self.progress.add_task(
                "train", total=self.n_steps, completed=self.first, speed="", losses=""
            )
            self.progress.start()

    def on_train_batch_end(self, trainer: Trainer, module: PhasedModule, *_: Any) -> None:  # type: ignore[override]  # noqa: D102
        now, step = time.monotonic(), int(module.steps_done)
        if now - self.spoken < (0.5 if self.progress else 30.0):
            return
        self.spoken = now
        rate = (step - self.first) / max(now - self.started, 1e-9)
        losses = " ".join(
            f"{name.split('/')[-1]} {float(value):.2f}" for name, value in module.logged.items()
        )
        if self.progress:
            shown = losses if self.console.width >= MIN_WIDTH_FOR_LOSSES else ""
            self.progress.update(
                self.task, completed=step, speed=f"{rate:.1f} steps/s", losses=shown
            )
        else:
            left = (self.n_steps - step) / max(rate, 1e-9) / 60
            self.console.print(
                f"step {step}/{self.n_steps}, {rate:.2f} steps/s, {left:.0f} min left | {losses}",
                soft_wrap=True,
            )

    def on_fit_end(self, trainer: Trainer, module: PhasedModule) -> None:  # type: ignore[override]  # noqa: D102
        self._stop()

    def on_exception(  # noqa: D102
        self, trainer: Trainer, module: LightningModule, exception: BaseException
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        if self.progress:
            self.progress.stop()
            self.progress = None


def restore(module: PhasedModule, path: Path) -> None:
    """Load the weights, the average and the step counter of a checkpoint; no pickle is read.

    Raises:
        ValueError: the file is damaged or belongs to other networks.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        module.load_state_dict(checkpoint["state_dict"])
    except (RuntimeError, KeyError, EOFError, UnpicklingError) as error:
        reason = (str(error).splitlines() or [""])[0].rstrip(":")
        raise ValueError(
            f"{path}: the checkpoint is damaged or of another run ({reason}); start a new run"
        ) from error
