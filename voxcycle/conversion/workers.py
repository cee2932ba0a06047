"""Processes that do one task at a time: a crash or a hang costs that task alone."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple, TypeVar

from voxcycle.runtime.session import use_device, use_threads

Task = TypeVar("Task")
Result = TypeVar("Result")
PATIENCE_S = 3600.0  # between looks at the clock where no task has a time limit


class Lost(NamedTuple):
    """What came of a task whose process died, or was late and stopped: why, in words."""

    reason: str
    is_late: bool


class _Worker:
    """A process, the task that it does, and until when it may."""

    def __init__(self, function: Callable[[Any], Any], device: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(
            target=_serve, args=(theirs, function, device), daemon=True, name="voxcycle worker"
        )
        self.process.start()
        theirs.close()
        self.task: Any = None
        self.is_ready = False
        self.deadline = float("inf")

    def give(self, task: Any, timeout_s: float | None) -> None:
        """Begin a task."""
        self.task = task
        self.deadline = time.monotonic() + (timeout_s or float("inf"))
        self.connection.send(task)

    def receive(self) -> Any:
        """Return a result, `Lost`, or None where the process says that it is ready."""
        try:
            if self.connection.poll():
                result = self.connection.recv()
                self.deadline = float("inf")
                self.is_ready, was_ready = True, self.is_ready
                return result if was_ready else None
        except (EOFError, OSError):
            why = f"the process that converted it died (exit code {self.stop()})"
            return Lost(f"{why}; a smaller part of it, or fewer jobs, may work", False)
        self.stop()
        return Lost("it took longer than --timeout allows", True)

    def stop(self) -> int | None:
        """End the process; returns its exit code."""
        self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()
        return self.process.exitcode


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    n_workers: int,
    device: str = "cpu",
    timeout_s: float | None = None,
    begin: Callable[[Task], None] = lambda task: None,
) -> Iterator[tuple[Task, Result | Lost]]:
    """Do tasks in processes of one thread each; yields task and result as soon as one is done.

    `begin` is called here before a task is given to a process. A process that dies, or takes longer
    than `timeout_s`, is replaced, and its task is lost.

    Raises:
        RuntimeError: processes die before their first task.
    """
    left = deque(tasks)
    workers: list[_Worker] = []
    try:
        while True:
            for worker in workers:
                if left and worker.is_ready and worker.task is None:
                    begin(left[0])
                    worker.give(left.popleft(), timeout_s)
            n_starting = sum(not worker.is_ready for worker in workers)
            for _ in range(min(n_workers - len(workers), len(left) - n_starting)):
                workers.append(_Worker(function, device))
            if not left and all(worker.task is None for worker in workers):
                return
            for worker in _wait(workers):
                outcome, task = worker.receive(), worker.task
                if isinstance(outcome, Lost):
                    workers.remove(worker)
                    if task is None:
                        raise RuntimeError(
                            f"worker processes die at their start ({outcome.reason}): there is too "
                            "little memory (try fewer jobs), or a script that uses jobs runs "
                            'outside `if __name__ == "__main__":`'
                        )
                if outcome is not None:
                    worker.task = None
                    yield task, outcome
    finally:
        for worker in workers:
            worker.stop()


def _wait(workers: list[_Worker]) -> list[_Worker]:
    """Return the workers that have something to say, are dead or out of time."""
    nearest = min(worker.deadline for worker in workers)
    patience = min(PATIENCE_S, max(0.0, nearest - time.monotonic()))
    heard = set(wait([w.connection for w in workers], patience))
    now = time.monotonic()
    return [w for w in workers if w.connection in heard or w.deadline <= now]


def _serve(connection: Connection, function: Callable[[Any], Any], device: str) -> None:
    """Do tasks until the parent is gone, also by SIGKILL; the parent handles Ctrl-C."""

    def leave(number: int, frame: Any) -> None:
        sys.exit(128 + number)

    def die_with_parent() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
        os._exit(1)  # a new run may do the same task by now

    threading.Thread(target=die_with_parent, daemon=True).start()
    # One thread, so that results do not depend on the number of processes.
    use_threads(1)
    if device != "cpu":
        use_device(device)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, leave)
    try:
        connection.send(None)
        while True:
            connection.send(function(connection.recv()))
    except (EOFError, BrokenPipeError):  # the parent was killed
        return
