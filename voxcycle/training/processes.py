"""One process per device: starting them, and keeping their networks the same.

The process that the user started is rank 0. It starts the others of its machine, which call the
same training again and join it in `fit`. Every process makes the whole batch of a step and keeps
its share, gradients are averaged over the processes, and rank 0 alone writes and prints. Losses
should be means over the batch; what is computed from a batch as a whole (batch normalisation,
StyleGAN's minibatch deviation and mean path length, the voiced share of a vocoder's batch) is
computed from each share.

On several machines the user starts the same command on each, with NODE_RANK, MASTER_ADDR and
MASTER_PORT in the environment. Processes that torchrun or SLURM started are taken as they are.
"""

import functools
import importlib
import json
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments.lightning import find_free_network_port
from torch import Tensor

from voxcycle.runtime.session import use_threads
from voxcycle.training.config import TrainingConfig

READY = b"ready to train\n"
STARTED_BY_OTHERS = ("LOCAL_RANK", "SLURM_PROCID")


@contextmanager
def join_processes(config: TrainingConfig, rerun: Callable[[], object]) -> Iterator[Fabric]:
    """Yield Fabric once all processes of a training have met.

    Args:
        config: names devices and precision.
        rerun: a `functools.partial` that calls the same training again: a function of a module, on
            configs and plain values. It is sent as JSON to the processes to be started.

    Raises:
        RuntimeError: a process ended before the training began.
        SystemExit: in all processes but rank 0, once the training has ended.
    """
    environment, started = dict(os.environ), []
    is_alone = config.devices * config.num_nodes == 1
    try:
        if not is_alone and not any(key in os.environ for key in STARTED_BY_OTHERS):
            os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
            os.environ.setdefault("MASTER_PORT", str(find_free_network_port()))
            os.environ["LOCAL_RANK"] = "0"
            started = [_start(rerun, rank) for rank in range(1, config.devices)]
            for process in started:
                if READY not in iter(process.stdout.readline, b""):  # type: ignore[union-attr]
                    raise RuntimeError(
                        f"a process of the training ended with {process.wait()} before it began; "
                        "see above"
                    )
        elif "VOXCYCLE_WORKER" in os.environ:  # started below
            os.write(sys.stdout.fileno(), READY)
        fabric = Fabric(
            accelerator=config.accelerator,
            devices=config.devices,
            num_nodes=config.num_nodes,
            strategy="auto" if is_alone else "ddp",
            precision=config.precision,
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")  # on its own dependencies
            fabric.launch()
        if config.threads:
            torch.set_num_threads(config.threads)
            use_threads(config.threads)
        yield fabric
        if not fabric.is_global_zero:
            raise SystemExit(0)
        for process in started:
            process.wait()
    finally:
        for process in started:
            process.kill()
            process.wait()
        if not is_alone:
            if torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()
            os.environ.clear()
            os.environ.update(environment)


def _start(rerun: Callable[[], object], local_rank: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", "from voxcycle.training.processes import serve; serve()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"LOCAL_RANK": str(local_rank), "VOXCYCLE_WORKER": "1"},
        start_new_session=True,  # Ctrl-C is rank 0's to answer
    )
    assert process.stdin is not None
    process.stdin.write(describe_call(rerun).encode() + b"\n")
    process.stdin.flush()
    return process


def serve() -> None:
    """Run the training that the starting process sends, and end when that process does."""
    rerun = read_call(sys.stdin.buffer.readline().decode())

    def end_with_parent() -> None:
        os.read(0, 1)  # which gives nothing before the other end is closed
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    rerun()


def describe_call(rerun: Callable[[], object]) -> str:
    """Return a call as one line of JSON; see `join_processes`."""
    assert isinstance(rerun, functools.partial)

    def describe(value: Any) -> Any:
        if not isinstance(value, TrainingConfig):
            return value
        kind = [type(value).__module__, type(value).__name__]
        return {"config": [*kind, value.model_dump_json(exclude_unset=True)]}

    function = [rerun.func.__module__, rerun.func.__name__]
    return json.dumps([*function, [describe(value) for value in rerun.args], rerun.keywords])


def read_call(line: str) -> Callable[[], object]:
    """Return the call that `describe_call` described."""
    module, name, values, keywords = json.loads(line)

    def restore(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        module, name, fields = value["config"]
        return getattr(importlib.import_module(module), name).model_validate_json(fields)

    function = getattr(importlib.import_module(module), name)
    return functools.partial(function, *map(restore, values), **keywords)


def average(fabric: Fabric, tensors: Iterable[Tensor]) -> None:
    """Replace tensors by their means over the processes, in one exchange."""
    tensors = list(tensors)
    if fabric.world_size == 1 or not tensors:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    means = fabric.all_reduce(flat, reduce_op="mean").split([x.numel() for x in tensors])  # type: ignore[union-attr]
    for tensor, mean in zip(tensors, means, strict=True):
        tensor.copy_(mean.view_as(tensor))
