"""The training loop: steps counted over resumptions, one checkpoint, hooks after every step."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from rich.console import Console
from torch.utils.data import DataLoader, Dataset
from torch.utils.tensorboard import SummaryWriter

from voxcycle.files import CHECKPOINT_FILE, check_writable, locking
from voxcycle.methods.batches import Share, take_share
from voxcycle.runtime.session import count_threads, use_threads
from voxcycle.training.config import (
    Config,
    TrainingConfig,
    check_run,
    is_main_process,
    resume_config,
)
from voxcycle.training.processes import average, join_processes
from voxcycle.training.progress import LiveProgress, first_interrupt, ignore_interrupts
from voxcycle.training.state import TrainingState

LOCK = ".lock"
MAX_SECONDS_BETWEEN = 300.0  # two checkpoints: slow machines lose no more than that

Hook = Callable[[TrainingState, SummaryWriter], None]  # called after every step


@contextmanager
def keeps_threads() -> Iterator[None]:
    """Decorate a training: afterwards the numbers of threads are what they were."""
    n_threads, n_of_networks = torch.get_num_threads(), count_threads()
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
        use_threads(n_of_networks)


def prepare_run(
    config: Config, resume: bool, start: Path | None = None
) -> tuple[Config, Path | None, Console]:
    """Check that a training can begin with these settings, before any analysis; set its threads.

    Returns:
        The settings, of the run where it is resumed; the checkpoint whose networks it begins with,
        if any; the console for messages. Processes other than rank 0 are silent and receive their
        networks from rank 0.

    Raises:
        ValueError: there is nothing to resume, a setting differs from the run's, a run would be
            overwritten, the device or the checkpoint `start` is not there.
        OSError: the folder of the run cannot be written to.
    """
    is_main = is_main_process(config)
    checkpoint = check_run(config.out, resume) if is_main else None
    if is_main:
        check_writable(config.out)
        if config.out.is_dir():
            with _alone_in(config.out):
                pass  # said before any analysis
    if resume:
        config = resume_config(config)
    elif start is not None and not start.is_file():
        raise ValueError(f"{start}: no checkpoint to start from; name the last.ckpt of a run")
    if config.accelerator == "cuda" and not torch.cuda.is_available():
        raise ValueError("accelerator=cuda: PyTorch finds no GPU here; leave the setting out")
    for name in ("lightning.fabric", "lightning.pytorch"):  # the latter has Fabric's messages
        logging.getLogger(name).setLevel(logging.WARNING)
    if config.threads:
        torch.set_num_threads(config.threads)
        use_threads(config.threads)
    console = Console(stderr=True, markup=False, highlight=False, quiet=not is_main)
    return config, checkpoint if resume else start, console


def find_deadline(started: float, limit_min: float | None) -> float | None:
    """Return when a call ends that started at a time, both on the clock of `time.monotonic`."""
    return None if limit_min is None else started + 60 * limit_min


def fit(
    state: TrainingState,
    batches: Dataset[Any],
    config: TrainingConfig,
    *,
    console: Console,
    rerun: Callable[[], object],
    hooks: Sequence[Hook] = (),
    deadline: float | None = None,
) -> None:
    """Train on `batches[i]` for every step i that is left of `config.steps`, over all resumptions.

    Args:
        state: as a checkpoint left it, or new.
        batches: the whole batch of every step.
        config: of the run.
        console: for progress and messages.
        rerun: calls the same training again with `resume`, in the processes of further devices.
        hooks: called in rank 0 after every step.
        deadline: on the clock of `time.monotonic`; the step under way then is the last of this
            call, which saves.

    Raises:
        KeyboardInterrupt: after Ctrl-C; the first ends the step under way and saves.
        ValueError: another process trains in the folder.
        OSError: the checkpoint or the log cannot be written.
        SystemExit: in processes other than rank 0, at the end.
    """
    assert config.steps is not None
    if state.steps_done >= config.steps:
        console.print(
            f"step {state.steps_done}: nothing is left to train; more --steps go on", soft_wrap=True
        )
        return
    checkpoint = config.out / CHECKPOINT_FILE
    if config.accelerator == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True  # shapes never change
    with join_processes(config, rerun) as fabric, first_interrupt() as interrupt:
        n_steps = fabric.broadcast(config.steps)
        if fabric.world_size > 1:
            state.load_state_dict(fabric.broadcast(state.state_dict()))
        state.to(fabric.device)
        loader = DataLoader(
            batches,
            batch_size=None,
            sampler=range(state.steps_done, n_steps),
            num_workers=config.workers,
            worker_init_fn=ignore_interrupts,
            pin_memory=fabric.device.type == "cuda",  # copied while the device computes
        )

        def is_over() -> bool:
            return interrupt.is_set() or (deadline is not None and time.monotonic() >= deadline)

        try:
            is_main = fabric.is_global_zero
            log = _open_log(config.out, state.steps_done) if is_main else nullcontext()
            with log as writer, LiveProgress(state, n_steps, console) as bar:
                saved = time.monotonic()
                for batch in loader:
                    state.scale_rates(rate_factor(state.steps_done, n_steps, config.falling))
                    is_stopped = _step(fabric, state, batch, is_over)
                    bar.update()
                    if writer is not None:  # in rank 0
                        if state.steps_done % config.log_every == 0:
                            for name, value in state.logged.items():
                                writer.add_scalar(name, float(value), state.steps_done)
                        for hook in hooks:
                            hook(state, writer)
                        is_late = time.monotonic() - saved > MAX_SECONDS_BETWEEN
                        if state.steps_done % config.checkpoint_every == 0 or is_late:
                            state.save(checkpoint)
                            saved = time.monotonic()
                    if is_stopped:
                        break
                if writer is not None:
                    state.save(checkpoint)
        except KeyboardInterrupt:
            has_one = "; --resume goes on from the last checkpoint"
            words = has_one if checkpoint.exists() else ", before the first checkpoint"
            console.print(f"stopped at step {state.steps_done}{words}")
            raise
    if state.steps_done < config.steps and not interrupt.is_set():
        console.print(f"time is up at step {state.steps_done}; --resume goes on from there")
    elif state.steps_done < config.steps:
        console.print(f"stopped at step {state.steps_done}; --resume goes on from there")
        raise KeyboardInterrupt


@contextmanager
def _open_log(run: Path, steps_done: int) -> Iterator[SummaryWriter]:
    """Give the log of a run, which no other process may train meanwhile."""
    with _alone_in(run):
        for partial in run.glob(".*.part"):  # left by a killed process
            partial.unlink()
        with _reporting_once(run / "log"):
            # What a killed process logged after its checkpoint is logged again.
            with SummaryWriter(run / "log", purge_step=steps_done + 1) as writer:
                yield writer


@contextmanager
def _reporting_once(log: Path) -> Iterator[None]:
    """Name the log in an error of its writer, which the writer's thread would print as well."""
    print_error = threading.excepthook

    def print_others(problem: threading.ExceptHookArgs) -> None:
        if not isinstance(problem.exc_value, OSError):
            print_error(problem)

    threading.excepthook = print_others
    try:
        yield
    except OSError as error:
        if error.filename or not error.errno:
            raise
        raise OSError(error.errno, error.strerror, str(log)) from error
    finally:
        threading.excepthook = print_error


@contextmanager
def _alone_in(run: Path) -> Iterator[None]:
    run.mkdir(parents=True, exist_ok=True)
    try:
        with locking(run / LOCK):
            yield
    except BlockingIOError:
        raise ValueError(
            f"{run}: another process is training in this folder; wait for it, or name another "
            "folder with --out"
        ) from None


def rate_factor(step: int, n_steps: int, falling: float) -> float:
    """Return the factor of the learning rates at a step.

    It falls in a line over the last steps, `falling` of all; the CycleGAN paper has 0.5.
    """
    return min(1.0, (n_steps - step) / (falling * n_steps)) if falling else 1.0


def _step(fabric: Fabric, state: TrainingState, batch: Any, is_over: Callable[[], bool]) -> bool:
    """Train on this process's share of a batch; return whether it is the last one for rank 0."""
    share = Share(fabric.global_rank, fabric.world_size)
    state.run_phases(fabric.to_device(take_share(batch, share)), fabric)
    stops = is_over()
    if fabric.world_size > 1:
        flag = torch.tensor(float(stops), device=fabric.device)
        running = [buffer for buffer in state.method.buffers() if buffer.is_floating_point()]
        average(fabric, [flag, *state.logged.values(), *running])
        stops = bool(flag)
    state.end_step()
    return stops
