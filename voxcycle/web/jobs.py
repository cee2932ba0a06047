"""Jobs and where they are kept: one row of SQLite each, so that they outlive the server."""

import json
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

Status = Literal["queued", "running", "done", "failed", "stopped"]
Lane = Literal["quick", "long", "use"]
FINISHED = ("done", "failed", "stopped")
TIMEOUT_S = 30.0  # of another program that reads the file


@dataclass
class Job:
    """One piece of work.

    Attributes:
        id: no client can guess it.
        kind: convert, clone, report, train or evaluate.
        lane: jobs of one lane run one after the other.
        title: one line for people.
        status: see `Status`.
        position: in the queue, the lowest first.
        message: what it does, or why it failed, in one sentence.
        created: time in seconds; so are `started` and `finished`.
        attempts: how often it was begun.
        options: what was asked for.
        result: what came out, as plain values.
        progress: share that is done, where it runs.
        seconds_left: where it is known.
    """

    id: str
    kind: str
    lane: Lane
    title: str
    status: Status = "queued"
    position: float = 0.0
    message: str = ""
    created: float = field(default_factory=time.time)
    started: float | None = None
    finished: float | None = None
    attempts: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    progress: float | None = None
    seconds_left: float | None = None

    @property
    def is_finished(self) -> bool:
        """Whether it neither waits nor runs."""
        return self.status in FINISHED


_LIVE = ("progress", "seconds_left")  # of running jobs, in memory alone
_COLUMNS = [f.name for f in fields(Job) if f.name not in _LIVE]
_JSON = ("options", "result")


class JobStore:
    """The table of jobs; one connection, used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, timeout=TIMEOUT_S)
        with self._lock, self._db:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")  # a crash of the machine may lose a job
            self._db.execute(f"CREATE TABLE IF NOT EXISTS jobs ({', '.join(_COLUMNS)})")
            self._db.execute("CREATE UNIQUE INDEX IF NOT EXISTS by_id ON jobs (id)")

    def save(self, *jobs: Job) -> None:
        """Write jobs, new or known."""
        rows = []
        for job in jobs:
            values = asdict(job)
            rows.append([json.dumps(values[c]) if c in _JSON else values[c] for c in _COLUMNS])
        marks = ", ".join("?" * len(_COLUMNS))
        with self._lock, self._db:
            self._db.executemany(f"INSERT OR REPLACE INTO jobs VALUES ({marks})", rows)

    def load(self) -> list[Job]:
        """Read all jobs, in the order of the queue."""
        with self._lock:
            rows = self._db.execute(
                f"SELECT {', '.join(_COLUMNS)} FROM jobs ORDER BY position, created"
            ).fetchall()
        return [self._read(row) for row in rows]

    def delete(self, job_id: str) -> None:
        """Remove a job."""
        with self._lock, self._db:
            self._db.execute("DELETE FROM jobs WHERE id = ?", (job_id,))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @staticmethod
    def _read(row: Sequence[Any]) -> Job:
        values = dict(zip(_COLUMNS, row, strict=True))
        return Job(**values | {name: json.loads(values[name]) for name in _JSON})
