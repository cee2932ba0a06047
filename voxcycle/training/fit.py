"""A Lightning Trainer around a `PhasedModule`: steps counted over resumptions, one checkpoint."""

import functools
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import torch
from lightning import Callback, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Console
from torch.utils.data import DataLoader, Dataset, Sampler

from voxcycle.training.callbacks import Checkpoint, LiveProgress, Scalars, StepLimit
from voxcycle.training.phases import PhasedModule

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class FitSettings:
    """How a module is trained.

    Attributes:
        out: folder of the run; gets the logs and `last.ckpt`.
        n_steps: iterations in all, resumptions included.
        checkpoint_every: steps between checkpoints.
        log_every: steps between scalars.
        resume: go on from `last.ckpt`.
        device: "cpu" or "cuda".
        workers: processes that make batches ahead of time; 0 makes them in between.
    """

    out: Path
    n_steps: int
    checkpoint_every: int
    log_every: int
    resume: bool = False
    device: str = "cpu"
    workers: int = 0


def keeps_threads(train: Callable[P, R]) -> Callable[P, R]:
    """Decorate a training: torch's number of threads is afterwards what it was."""

    @functools.wraps(train)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        n_threads = torch.get_num_threads()
        try:
            return train(*args, **kwargs)
        finally:
            torch.set_num_threads(n_threads)

    return run


def check_beginning(device: str, start: Path | None) -> None:
    """Raise ValueError, before any analysis, where a training cannot begin as it is told to."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device=cuda: PyTorch finds no GPU here; leave the setting away")
    if start is not None and not start.is_file():
        raise ValueError(f"{start}: no checkpoint to start from; name the last.ckpt of a run")


class _StepsLeft(Sampler[int]):
    """Yields batch numbers from the step that the module has reached."""

    def __init__(self, module: PhasedModule, n_steps: int) -> None:
        self.module = module
        self.n_steps = n_steps

    def __iter__(self) -> Iterator[int]:
        yield from range(int(self.module.steps_done), self.n_steps)

    def __len__(self) -> int:
        return self.n_steps


def fit(
    module: PhasedModule,
    batches: Dataset[Any],
    settings: FitSettings,
    callbacks: Sequence[Callback],
    console: Console,
) -> None:
    """Train on `batches[i]` for every step i; Ctrl-C saves a checkpoint: KeyboardInterrupt."""
    checkpoint = settings.out / "last.ckpt"
    limit = StepLimit(settings.n_steps)
    if settings.device == "cuda":
        torch.set_float32_matmul_precision("high")
    trainer = Trainer(
        accelerator=settings.device,
        benchmark=True,  # shapes never change
        devices=1,
        max_epochs=-1,
        logger=TensorBoardLogger(settings.out, name="", version="log"),
        callbacks=[
            limit,
            Scalars(settings.log_every),
            LiveProgress(settings.n_steps, console),
            *callbacks,
            Checkpoint(checkpoint, settings.checkpoint_every),
        ],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    loader = DataLoader(
        batches,
        batch_size=None,
        sampler=_StepsLeft(module, settings.n_steps),
        num_workers=settings.workers,
    )
    handler = signal.getsignal(signal.SIGINT)
    try:
        with warnings.catch_warnings():
            # Lightning comments on its own dependencies and on our one endless epoch.
            warnings.filterwarnings("ignore", module=r"lightning\.")
            resumed = checkpoint if settings.resume else None
            trainer.fit(module, loader, ckpt_path=resumed, weights_only=True)
    except SystemExit:  # how Lightning answers a second Ctrl-C, which it goes on to ignore
        signal.signal(signal.SIGINT, handler)
        step = int(module.steps_done)
        if checkpoint.exists():
            console.print(f"stopped at step {step}; --resume goes on from the last checkpoint")
        else:
            console.print(f"stopped at step {step}, before the first checkpoint")
        raise KeyboardInterrupt from None
    if limit.is_interrupted and int(module.steps_done) < settings.n_steps:
        console.print(f"stopped at step {int(module.steps_done)}; --resume goes on from there")
        raise KeyboardInterrupt
