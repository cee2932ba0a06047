"""One queue of jobs in lanes, each with one worker: quick work never waits for a training."""

import logging
import shutil
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from voxcycle.files import data_dir
from voxcycle.web.events import Events
from voxcycle.web.jobs import Job, JobStore, Lane
from voxcycle.web.kinds import Control, Failed, Kind, Stopped
from voxcycle.web.settings import Limits, Refusal
from voxcycle.web.uploads import new_id
from voxcycle.web.wording import without_folders

MAX_ATTEMPTS = 2  # of a job that ended together with the server
STOP_S = 30.0  # for running jobs to end with the server
log = logging.getLogger(__name__)


class Queue:
    """Jobs that wait, run and are done; every method may be called in any thread.

    Args:
        folder: holds the table, and one folder per job.
        kinds: see `Kind`.
        events: told of every change.
        limits: see `Limits`.
    """

    def __init__(self, folder: Path, kinds: Sequence[Kind], events: Events, limits: Limits) -> None:
        self.folder, self.limits = folder / "jobs", limits
        self.folder.mkdir(parents=True, exist_ok=True)
        self._kinds = {kind.name: kind for kind in kinds}
        self._events = events
        self._store = JobStore(folder / "jobs.sqlite")
        self._changed = threading.Condition(threading.RLock())
        self._running: dict[str, Control] = {}
        self._threads: list[threading.Thread] = []
        self._is_closing = False
        known = self._store.load()
        for left in {path.name for path in self.folder.iterdir()} - {job.id for job in known}:
            shutil.rmtree(self.folder / left, ignore_errors=True)  # by a server that was killed
        self._jobs = {job.id: job for job in known if job.kind in self._kinds}
        for job in self._jobs.values():
            if job.status == "running":
                self._take_up(job)

    def start(self) -> None:
        """Begin to work, a thread for each lane."""
        for lane in get_args(Lane):
            thread = threading.Thread(target=self._work, args=(lane,), name=f"lane {lane}")
            thread.daemon = True
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        """Ask what runs to end, wait for it, and keep the rest for the next start."""
        with self._changed:
            self._is_closing = True
            for control in self._running.values():
                control.is_closing = True
                control.stop.set()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(STOP_S)
        self._store.close()

    def add(self, body: Mapping[str, Any]) -> Job:
        """Queue a job; Refusal where the request is wrong or too much waits already."""
        public = {name: kind for name, kind in self._kinds.items() if kind.is_public}
        kind = public.get(str(body.get("kind")))
        if kind is None:
            raise Refusal(f"kind: one of {', '.join(public)} is needed.")
        return self._add(kind, body)

    def _add(self, kind: Kind, body: Mapping[str, Any]) -> Job:
        with self._changed:
            waiting = sum(job.status == "queued" for job in self._jobs.values())
        if waiting >= self.limits.queued:
            raise Refusal(f"{waiting} jobs wait already; try again when some are done.", 429)
        job_id = new_id()
        folder = self.folder / job_id
        try:
            plan = kind.plan(body, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        job = Job(job_id, kind.name, kind.lane, plan.title, options=plan.options)
        with self._changed:
            job.position = 1 + max((each.position for each in self._jobs.values()), default=0.0)
            self._jobs[job.id] = job
            self._save(job)
            self._changed.notify_all()
        return job

    def get(self, job_id: str) -> Job:
        """Return a job; Refusal where there is none of that id."""
        job = self._jobs.get(job_id)
        if job is None:
            raise Refusal("There is no such job.", 404)
        return job

    def all(self) -> list[Job]:
        """Return what runs, what waits in its order, and what is done, the newest last."""
        with self._changed:
            jobs = list(self._jobs.values())
        order = {"running": 0, "queued": 1}
        return sorted(
            jobs,
            key=lambda job: (
                order.get(job.status, 2),
                (job.finished or 0.0) if job.is_finished else job.position,
            ),
        )

    def describe(self, job: Job) -> dict[str, Any]:
        """Return a job as clients see it."""
        kind = self._kinds[job.kind]
        names = ("id", "kind", "title", "status", "progress", "seconds_left", "message")
        shown = {name: getattr(job, name) for name in names}
        shown |= {name: getattr(job, name) for name in ("created", "started", "finished")}
        more = {"options": job.options, "can": self._actions(job)}
        return shown | more | {"result": kind.describe(job) if job.result else None}

    def result_file(self, job_id: str, *parts: str) -> Path:
        """Return a file in a job's folder, whose parts the server has made itself."""
        return self.folder.joinpath(self.get(job_id).id, *parts)

    def stop(self, job_id: str) -> Job:
        """Stop a job that runs, or take one that waits from the queue."""
        with self._changed:
            job = self.get(job_id)
            self._require(job, "cancel")
            if job.id in self._running:
                self._running[job.id].stop.set()
                job.message = "stopping"
            else:
                self._finish(job, "stopped", "Taken from the queue.")
            self._save(job)
        return job

    def resume(self, job_id: str) -> Job:
        """Queue a job again that stopped half-way, behind all others."""
        with self._changed:
            job = self.get(job_id)
            self._require(job, "resume")
            job.position = 1 + max(each.position for each in self._jobs.values())
            job.status, job.message, job.finished = "queued", "", None
            job.attempts = 0
            if not self._kinds[job.kind].survives:
                job.result = {}
            self._save(job)
            self._changed.notify_all()
        return job

    def use(self, job_id: str) -> Job:
        """Queue a job that makes voices of what a training has so far; returns that job."""
        job = self.get(job_id)
        self._require(job, "use")
        return self._add(self._kinds["use"], {"training": job})

    def move(self, job_id: str, before: object) -> Job:
        """Move a waiting job before another one, or to the end of the queue (None)."""
        with self._changed:
            job = self.get(job_id)
            self._require(job, "move")
            waiting = [each for each in self.all() if each.status == "queued" and each != job]
            ids = [each.id for each in waiting]
            if before is not None and before not in ids:
                raise Refusal("The other job does not wait any more; load the list again.", 409)
            place = ids.index(str(before)) if before is not None else len(ids)
            waiting.insert(place, job)
            for position, each in zip(
                sorted(each.position for each in waiting), waiting, strict=True
            ):
                each.position = position
            self._store.save(*waiting)
            for each in waiting:
                self._publish(each)
        return job

    def delete(self, job_id: str) -> None:
        """Remove a job and its files; it must not run."""
        with self._changed:
            job = self.get(job_id)
            self._require(job, "delete")
            if any(
                j.options.get("training") == job.id
                for j in self._jobs.values()
                if not j.is_finished
            ):
                raise Refusal(
                    "A voice is being made of this training: wait for it, or stop it.", 409
                )
            self._drop(job)

    def expire(self) -> None:
        """Remove the jobs whose time is over, but for those that are kept."""
        oldest = time.time() - 3600 * self.limits.life_hours
        with self._changed:
            for job in list(self._jobs.values()):
                is_old = job.is_finished and (job.finished or 0.0) < oldest
                if is_old and not self._kinds[job.kind].is_kept:
                    self._drop(job)

    def list_passing(self) -> list[Path]:
        """Return the folders of the jobs that are not kept beyond the life span."""
        with self._changed:
            passing = [j.id for j in self._jobs.values() if not self._kinds[j.kind].is_kept]
        return [self.folder / job_id for job_id in passing]

    def _actions(self, job: Job) -> list[str]:
        if job.status == "running":
            return ["cancel", *self._kinds[job.kind].actions(job)]
        if job.status == "queued":
            return ["cancel", "move"]
        return [*self._kinds[job.kind].actions(job), "delete"]

    def _require(self, job: Job, action: str) -> None:
        if action not in self._actions(job):
            raise Refusal(f"This job is {job.status}: {action} is not possible now.", 409)

    def _work(self, lane: Lane) -> None:
        """Do the jobs of a lane, one after the other, until the server stops."""
        while True:
            with self._changed:
                while (job := self._next(lane)) is None or self._is_closing:
                    if self._is_closing:
                        return
                    self._changed.wait()
                control = Control(job, self.folder / job.id, self._report)
                self._running[job.id] = control
                job.status, job.started, job.message = "running", time.time(), ""
                job.attempts += 1
                job.progress = 0.0
                self._save(job)
            self._run(job, control)

    def _next(self, lane: Lane) -> Job | None:
        waiting = [j for j in self._jobs.values() if j.status == "queued" and j.lane == lane]
        return min(waiting, key=lambda job: job.position, default=None)

    def _run(self, job: Job, control: Control) -> None:
        kind = self._kinds[job.kind]
        try:
            result = kind.run(job, control)
            job.result, outcome, sentence = result, "done", ""
        except Stopped:
            outcome, sentence = "stopped", "Stopped."
        except (Failed, Refusal, ValueError, OSError, ImportError) as error:
            outcome = "failed"
            sentence = without_folders(str(error), control.folder, self.folder, data_dir())
        except Exception:
            log.exception("job %s (%s)", job.id, job.kind)
            outcome = "failed"
            sentence = "Something went wrong; the server's terminal shows what."
        with self._changed:
            del self._running[job.id]
            if outcome == "stopped" and control.is_closing:
                job.attempts -= 1  # it is no fault of the job
                self._take_up(job)
            else:
                self._finish(job, outcome, sentence)
                self._save(job)
            self._changed.notify_all()

    def _take_up(self, job: Job) -> None:
        """Decide what becomes of a job that ended with the server."""
        if self._kinds[job.kind].survives:
            self._finish(job, "stopped", "The server was stopped; go on when you like.")
        elif job.attempts >= MAX_ATTEMPTS:
            self._finish(job, "failed", "The server ended twice during this job.")
        else:
            job.status, job.started, job.message = "queued", None, ""
        job.progress = job.seconds_left = None
        self._save(job)

    @staticmethod
    def _finish(job: Job, status: Any, message: str) -> None:
        job.status, job.message, job.finished = status, message, time.time()
        job.progress, job.seconds_left = (1.0 if status == "done" else job.progress), None

    def _drop(self, job: Job) -> None:
        del self._jobs[job.id]
        self._store.delete(job.id)
        shutil.rmtree(self.folder / job.id, ignore_errors=True)
        self._events.publish("jobs", {"id": job.id, "deleted": True}, job.id)

    def _report(self, job: Job, is_progress: bool) -> None:
        if is_progress:
            self._publish(job)
        else:
            with self._changed:
                self._save(job)

    def _save(self, job: Job) -> None:
        try:
            self._store.save(job)
        except sqlite3.Error:  # of a full disk: the job goes on, and a restart may not know it
            log.exception("the table of jobs")
        self._publish(job)

    def _publish(self, job: Job) -> None:
        self._events.publish("jobs", self.describe(job), job.id)
