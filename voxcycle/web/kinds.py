"""What every kind of job offers to the queue, and what a running job is given."""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from voxcycle.web.jobs import Job, Lane

REPORT_S = 0.25  # between two reports of progress


class Stopped(Exception):
    """The job was asked to stop, and did; nothing is wrong with it."""


class Failed(Exception):
    """The job cannot be done; its message is one sentence."""


class Plan(NamedTuple):
    """A job that can be queued: its title, and its options as plain values."""

    title: str
    options: dict[str, Any]


class Control:
    """What a running job reports to, and hears from.

    Args:
        job: the running job.
        folder: of the job.
        save: writes the job and tells the pages; with True its progress alone changed.
    """

    def __init__(self, job: Job, folder: Path, save: Callable[[Job, bool], None]) -> None:
        self.job, self.folder = job, folder
        self.stop = threading.Event()
        self.is_closing = False  # the server stops, and the job may go on at its next start
        self._save, self._reported, self._started = save, 0.0, time.monotonic()

    def report(
        self, share: float | None, message: str | None = None, seconds_left: float | None = None
    ) -> None:
        """Show the share that is done, and a message; raises Stopped where a stop was asked for."""
        if self.stop.is_set():
            raise Stopped
        job, now = self.job, time.monotonic()
        is_new = message is not None and message != job.message
        if not is_new and now - self._reported < REPORT_S:
            return
        self._reported = now
        job.progress = share
        spent = now - self._started
        if seconds_left is None and share and share > 0.02 and spent > 1:
            seconds_left = spent * (1 - share) / share
        job.seconds_left = None if seconds_left is None else round(seconds_left, 1)
        if message is not None:
            job.message = message
        self._save(job, True)

    def publish(self, result: dict[str, Any]) -> None:
        """Keep what has come out so far, and show it."""
        self.job.result = result
        self._save(self.job, False)


class Kind(Protocol):
    """One kind of job.

    Attributes:
        name: as clients write it.
        lane: where it queues.
        is_public: whether clients ask for it by its name.
        survives: whether a job that was interrupted by the end of the server waits for its
            owner, instead of being run again.
        is_kept: whether its results stay until they are deleted, beyond the life span.
    """

    name: str
    lane: Lane
    is_public: bool
    survives: bool
    is_kept: bool

    def plan(self, body: Mapping[str, Any], folder: Path) -> Plan:
        """Check a request and put its recordings into the job's folder; Refusal where it is wrong.

        The folder does not exist yet.
        """
        ...

    def run(self, job: Job, control: Control) -> dict[str, Any]:
        """Do the work and return the result; raises Stopped, Failed, or an error of voxcycle."""
        ...

    def actions(self, job: Job) -> list[str]:
        """Return what else can be done with the job now: resume, use."""
        ...

    def describe(self, job: Job) -> dict[str, Any]:
        """Return the result as clients see it, with addresses in place of files."""
        ...
