"""A Lightning Trainer around a `PhasedModule`: steps counted over resumptions, one checkpoint."""

import functools
import logging
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import torch
from lightning import Callback, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Console
from torch.utils.data import DataLoader, Dataset, Sampler

from voxcycle.methods.phase import PhasedModule
from voxcycle.training.callbacks import Checkpoint, LiveProgress, Scalars, StepLimit
from voxcycle.training.config import Config, TrainingConfig, check_run, resume_config

P = ParamSpec("P")
R = TypeVar("R")


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


def begin(
    config: Config, resume: bool, start: Path | None = None
) -> tuple[Config, Path | None, Console]:
    """Check that a training can begin as it is told to, before any analysis; set its threads.

    Returns:
        The settings, of the run where it is resumed; the checkpoint whose networks it begins with,
        if any; where to speak.

    Raises:
        ValueError: there is nothing to resume, a setting differs from the run's, a run would be
            overwritten, the device or the checkpoint `start` is not there.
    """
    checkpoint = check_run(config.out, resume)
    if resume:
        config = resume_config(config)
    elif start is not None and not start.is_file():
        raise ValueError(f"{start}: no checkpoint to start from; name the last.ckpt of a run")
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device=cuda: PyTorch finds no GPU here; leave the setting away")
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    if config.threads:
        torch.set_num_threads(config.threads)
    console = Console(stderr=True, markup=False, highlight=False)
    return config, checkpoint if resume else start, console


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
    config: TrainingConfig,
    resume: bool,
    callbacks: Sequence[Callback],
    console: Console,
) -> None:
    """Train on `batches[i]` for every step i that is left of `config.steps`, over all resumptions.

    Ctrl-C saves a checkpoint: KeyboardInterrupt.
    """
    assert config.steps is not None
    step = int(module.steps_done)
    if step >= config.steps:
        console.print(f"step {step}: nothing is left to train; more --steps go on", soft_wrap=True)
        return
    checkpoint = config.out / "last.ckpt"
    limit = StepLimit(config.steps)
    if config.device == "cuda":
        torch.set_float32_matmul_precision("high")
    trainer = Trainer(
        accelerator=config.device,
        benchmark=True,  # shapes never change
        devices=1,
        max_epochs=-1,
        logger=TensorBoardLogger(config.out, name="", version="log"),
        callbacks=[
            limit,
            Scalars(config.log_every),
            LiveProgress(config.steps, console),
            *callbacks,
            Checkpoint(checkpoint, config.checkpoint_every),
        ],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    loader = DataLoader(
        batches,
        batch_size=None,
        sampler=_StepsLeft(module, config.steps),
        num_workers=config.workers,
    )
    handler = signal.getsignal(signal.SIGINT)
    try:
        with warnings.catch_warnings():
            # Lightning comments on its own dependencies and on our one endless epoch.
            warnings.filterwarnings("ignore", module=r"lightning\.")
            resumed = checkpoint if resume else None
            trainer.fit(module, loader, ckpt_path=resumed, weights_only=True)
    except SystemExit:  # how Lightning answers a second Ctrl-C, which it goes on to ignore
        signal.signal(signal.SIGINT, handler)
        step = int(module.steps_done)
        if checkpoint.exists():
            console.print(f"stopped at step {step}; --resume goes on from the last checkpoint")
        else:
            console.print(f"stopped at step {step}, before the first checkpoint")
        raise KeyboardInterrupt from None
    if limit.is_interrupted and int(module.steps_done) < config.steps:
        console.print(f"stopped at step {int(module.steps_done)}; --resume goes on from there")
        raise KeyboardInterrupt
