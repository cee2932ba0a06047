"""A batch on a cluster, by Ray Data: a pool of actors, each with a core, voices and a vocoder."""

import logging
import os
import socket
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from voxcycle.audio.io import AudioError
from voxcycle.conversion.manifest import part_of, stamp, write_rows
from voxcycle.conversion.task import Converter, FileResult, Task, load_pair
from voxcycle.conversion.work import Jobs
from voxcycle.conversion.workers import Lost
from voxcycle.runtime.session import use_threads

LOCAL, CLIENT = "local", "ray://"
PATIENCE_S = 10.0  # for an answer of the cluster
MAX_BLOCKS = 10_000  # of tasks: Ray hands them out and repeats them whole
RETRIES = 2  # of a block whose actor died; then its tasks are tried once more, a block each
INIT_DEATHS = 16  # of actors in a row, before the cluster counts as unfit


class _Actor:
    """Converts on one thread; its rows are in a file of its own before the driver gets them."""

    def __init__(self, convert: Converter, manifest: Path) -> None:
        import ray

        use_threads(1)  # so that results do not depend on the machine
        for path in convert.voices.values():
            load_pair(path, convert.vocoder)
        self.convert = convert
        self.part = part_of(manifest, str(ray.get_runtime_context().get_actor_id()))

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        tasks = list(batch["task"])
        results = [self.convert(task) for task in tasks]
        rows = [stamp(result.row) for result in results if result.row is not None]
        try:
            write_rows(self.part, rows)
            results = [replace(r, row=row) for r, row in zip(results, rows, strict=True)]
        except OSError:  # the driver writes rows without a time, or says why it cannot
            pass
        return {"place": [task.place for task in tasks], "result": results}


def run_on_cluster(
    convert: Converter,
    tasks: Sequence[Task],
    *,
    address: str,
    jobs: Jobs,
    manifest: Path,
    begin: Callable[..., None],
) -> Iterator[tuple[Task, FileResult | Lost]]:
    """Convert on a Ray cluster; yields task and result as soon as a block of tasks is done.

    Rows for the manifest are kept beside it, in a part per actor. A task is lost where actors die
    of it again and again.

    Args:
        convert: with voices and a vocoder that all machines find at the same paths.
        tasks: with rows.
        address: "local" starts Ray on this machine; "auto" and ray://... join what runs.
        jobs: number of actors; "auto" takes one per core that the cluster has.
        manifest: the file for which actors write parts.
        begin: called with all tasks when the cluster is there.

    Raises:
        AudioError: there is no such cluster, or no actor starts on it.
    """
    if not tasks:
        return
    import ray

    left = {task.place: task for task in tasks}
    voices = {name: path.absolute() for name, path in convert.voices.items()}
    convert = replace(convert, voices=voices)
    try:
        with _join(address, jobs):
            begin(*tasks)
            n_cores = int(ray.cluster_resources().get("CPU", 1)) if jobs == "auto" else jobs
            for _ in range(2):
                if not left:
                    break
                there = [_make_absolute(task) for task in left.values()]
                run = _map_from_outside if address.startswith(CLIENT) else _map
                for row in run(convert, there, n_cores, manifest.absolute()):
                    task, result = left.pop(row["place"]), row["result"]
                    output = task.planned.target if result.output else None
                    yield task, replace(result, source=task.planned.source, output=output)
    except ray.exceptions.RayError as error:
        reason = str(error).strip().splitlines()[-1]
        raise AudioError(
            f"cluster {address}: {reason}; all machines need voxcycle, the voices and the folders "
            "at the same paths; the same command goes on"
        ) from error
    for task in left.values():
        yield task, Lost("the processes that converted it died; a smaller part may work", False)


def _map(
    convert: Converter, tasks: list[Task], n_actors: int, manifest: Path
) -> Iterator[dict[str, Any]]:
    import ray.data
    from ray.util.annotations import RayDeprecationWarning

    n_blocks = min(len(tasks), MAX_BLOCKS)
    dataset = ray.data.from_items([{"task": task} for task in tasks], override_num_blocks=n_blocks)
    context = dataset.context
    context.enable_progress_bars = context.print_on_execution_start = False
    context.max_errored_blocks = -1  # lost ones are tried again, then reported
    context.max_consecutive_actor_init_deaths = INIT_DEATHS
    context.execution_no_progress_timeout_s = -1  # a recording may last for hours
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RayDeprecationWarning)  # no other way up to Ray 2.63
        results = dataset.map_batches(
            _Actor,
            batch_size=None,
            batch_format="numpy",
            compute=ray.data.ActorPoolStrategy(size=min(n_actors, len(tasks))),
            num_cpus=1,
            fn_constructor_args=(convert, manifest),
            max_restarts=-1,
            max_task_retries=RETRIES,
        )
    yield from results.iter_rows()


class _Outpost:
    """Iterates over a dataset inside the cluster, which Ray's client cannot do."""

    def __init__(self, *arguments: Any) -> None:
        self.rows = _map(*arguments)

    def next_row(self) -> dict[str, Any] | None:
        return next(self.rows, None)


def _map_from_outside(*arguments: Any) -> Iterator[dict[str, Any]]:
    """Do what `_map` does, by way of an actor."""
    import ray

    outpost: Any = ray.remote(num_cpus=0)(_Outpost).remote(*arguments)
    while (row := ray.get(outpost.next_row.remote())) is not None:
        yield row


def _make_absolute(task: Task) -> Task:
    """Return a task whose paths mean the same in another folder."""
    planned = task.planned
    assert planned.target is not None
    source, target = planned.source.absolute(), planned.target.absolute()
    return task._replace(planned=replace(planned, source=source, target=target))


@contextmanager
def _join(address: str, jobs: Jobs) -> Iterator[None]:
    """Connect to Ray, and leave it at the end, unless the caller's program has done so."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray.data

    settings: dict[str, Any] = {"include_dashboard": False} if address == LOCAL else {}
    if address == LOCAL and jobs != "auto":
        settings["num_cpus"] = jobs
    is_ours = not ray.is_initialized()
    try:
        _call(address)
        if is_ours:
            logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # we report what is lost
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **settings)
    except (OSError, ValueError, RuntimeError) as error:
        first = str(error).strip().partition("\n")[0].rstrip(".")
        reason = getattr(error, "strerror", None) or first
        raise AudioError(
            f"cluster {address}: cannot be reached ({reason}); start Ray there, or work on this "
            "machine with `--cluster local`"
        ) from error
    try:
        yield
    finally:
        if is_ours:
            ray.shutdown()


def _call(address: str) -> None:
    """Raise OSError where nobody answers at HOST:PORT; Ray itself would try for minutes."""
    host, _, port = address.removeprefix(CLIENT).rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE_S).close()
