"""The queue: order, lanes, stops, and what survives the end of the server."""

import threading

import pytest

from voxcycle.web.events import Events
from voxcycle.web.jobs import JobStore
from voxcycle.web.kinds import Failed, Plan
from voxcycle.web.queue import Queue
from voxcycle.web.settings import Limits, Refusal


class Steps:
    """A kind whose jobs wait for the test at every step, and note what they did."""

    is_public, is_kept = True, False

    def __init__(self, name="convert", lane="quick", survives=False):
        self.name, self.lane, self.survives = name, lane, survives
        self.begun, self.may_go, self.order = threading.Event(), threading.Event(), []

    def plan(self, body, folder):
        folder.mkdir()
        return Plan(body["title"], {"training": body.get("training")})

    def run(self, job, control):
        self.order.append(job.title)
        if job.title == "fails":
            raise Failed("It cannot be done.")
        if job.title == "breaks":
            raise RuntimeError("a secret")
        self.begun.set()
        while not self.may_go.wait(0.02):
            control.report(0.5, "half")
        return {"title": job.title}

    def actions(self, job):
        return ["resume"] if job.status in ("failed", "stopped") else []

    def describe(self, job):
        return job.result


@pytest.fixture
def open_queue(tmp_path):
    """Open a queue of the kinds in the test's folder; all are closed at the end."""
    opened = []

    def open_it(*kinds, starts=True, **limits):
        queue = Queue(tmp_path, kinds, Events(), Limits(**limits))
        opened.append(queue)
        if starts:
            queue.start()
        return queue

    yield open_it
    for queue in opened:
        queue.close()


def add(queue, title, kind="convert"):
    return queue.add({"kind": kind, "title": title})


def finish(queue, *jobs):
    with queue._changed:
        assert queue._changed.wait_for(lambda: all(job.is_finished for job in jobs), 20)


def test_jobs_are_done_in_their_order_and_a_move_changes_it(open_queue):
    kind = Steps()
    queue = open_queue(kind)
    jobs = [add(queue, title) for title in "abcd"]
    assert kind.begun.wait(20)
    with pytest.raises(Refusal, match="running"):
        queue.move(jobs[0].id, None)
    queue.move(jobs[3].id, jobs[1].id)
    queue.move(jobs[1].id, None)
    assert [job.title for job in queue.all()] == ["a", "d", "c", "b"]
    with pytest.raises(Refusal, match="does not wait"):
        queue.move(jobs[1].id, jobs[0].id)
    kind.may_go.set()
    finish(queue, *jobs)
    assert kind.order == ["a", "d", "c", "b"]
    assert [(job.status, job.result) for job in jobs] == [("done", {"title": t}) for t in "abcd"]
    assert [job.title for job in queue.all()] == kind.order  # the newest last


def test_quick_work_does_not_wait_for_long_work(open_queue):
    quick, long = Steps(), Steps("train", "long")
    queue = open_queue(quick, long)
    training = add(queue, "training", "train")
    assert long.begun.wait(20)
    quick.may_go.set()
    conversion = add(queue, "conversion")
    finish(queue, conversion)
    assert training.status == "running" and conversion.status == "done"


def test_running_and_waiting_jobs_can_be_stopped(open_queue):
    kind = Steps()
    queue = open_queue(kind)
    running, waiting = add(queue, "runs"), add(queue, "waits")
    assert kind.begun.wait(20)
    assert queue.stop(waiting.id).status == "stopped"
    assert queue.stop(running.id).message == "stopping"
    finish(queue, running)
    assert (running.status, running.message) == ("stopped", "Stopped.")
    assert kind.order == ["runs"]
    with pytest.raises(Refusal, match="cancel is not possible"):
        queue.stop(running.id)
    kind.may_go.set()
    queue.resume(running.id)
    finish(queue, running)
    assert (running.status, running.result) == ("done", {"title": "runs"})


def test_a_failure_is_a_sentence_and_the_next_job_runs(open_queue, caplog):
    kind = Steps()
    kind.may_go.set()
    queue = open_queue(kind)
    fails, breaks, works = (add(queue, title) for title in ("fails", "breaks", "works"))
    finish(queue, fails, breaks, works)
    assert (fails.status, fails.message) == ("failed", "It cannot be done.")
    assert breaks.status == "failed" and "secret" not in breaks.message
    assert "a secret" in caplog.text
    assert works.status == "done"


def test_a_restart_keeps_what_waits_in_its_order(open_queue, tmp_path):
    first = Steps()
    queue = open_queue(first)
    for title in "abc":
        add(queue, title)
    assert first.begun.wait(20)
    queue.move(queue.all()[2].id, queue.all()[1].id)
    queue.close()
    second = Steps()
    second.may_go.set()
    again = open_queue(second)
    finish(again, *again.all())
    assert second.order == ["a", "c", "b"]
    assert {job.status for job in again.all()} == {"done"}


def test_jobs_that_a_kill_cut_short_run_again_once(open_queue, tmp_path):
    kind = Steps()
    queue = open_queue(kind, starts=False)
    job = add(queue, "a")
    for attempts, status in ((1, "queued"), (2, "failed")):
        job.status, job.attempts = "running", attempts  # as a killed server leaves it
        queue._store.save(job)
        store = JobStore(tmp_path / "jobs.sqlite")
        (found,) = Queue(tmp_path, [kind], Events(), Limits()).all()
        assert found.status == status
        store.close()


def test_a_training_that_was_cut_short_waits_for_its_owner(open_queue, tmp_path):
    kind = Steps("train", "long", survives=True)
    queue = open_queue(kind)
    job = add(queue, "a", "train")
    assert kind.begun.wait(20)
    queue.close()
    assert job.status == "stopped"
    (again,) = open_queue(Steps("train", "long", survives=True)).all()
    assert again.status == "stopped" and "go on" in again.message
    assert again.result == {} and again.attempts == 0


def test_the_queue_has_an_end(open_queue):
    queue = open_queue(Steps(), starts=False, queued=2)
    add(queue, "a"), add(queue, "b")
    with pytest.raises(Refusal, match="2 jobs wait") as refused:
        add(queue, "c")
    assert refused.value.status == 429
    assert len(list(queue.folder.iterdir())) == 2


def test_deleted_and_expired_jobs_leave_nothing(open_queue):
    kind = Steps()
    kind.may_go.set()
    queue = open_queue(kind, life_hours=1.0)
    old, new, deleted = (add(queue, title) for title in "abc")
    finish(queue, old, new, deleted)
    queue.delete(deleted.id)
    old.finished -= 3700
    queue.expire()
    assert [job.id for job in queue.all()] == [new.id]
    assert [path.name for path in queue.folder.iterdir()] == [new.id]
    assert [job.id for job in queue._store.load()] == [new.id]
    with pytest.raises(Refusal, match="no such job"):
        queue.delete(old.id)


def test_a_refused_request_leaves_nothing(open_queue):
    queue = open_queue(Steps(), starts=False)
    for body in ({}, {"kind": "unknown"}, {"kind": ["convert"]}, {"kind": None}):
        with pytest.raises(Refusal, match="kind: one of convert"):
            queue.add(body)
    with pytest.raises(KeyError):
        queue.add({"kind": "convert"})
    assert queue.all() == [] and list(queue.folder.iterdir()) == []


def test_a_training_stays_while_a_voice_is_made_of_it(open_queue):
    kind = Steps()
    queue = open_queue(kind)
    kind.may_go.set()
    training = add(queue, "training")
    finish(queue, training)
    kind.may_go.clear()
    use = queue.add({"kind": "convert", "title": "use", "training": training.id})
    with pytest.raises(Refusal, match="A voice is being made of this training"):
        queue.delete(training.id)
    kind.may_go.set()
    finish(queue, use)
    queue.delete(training.id)
    assert queue.all() == [use]


def test_folders_of_no_job_go_at_the_start(open_queue, tmp_path):
    """A server that is killed while it takes or deletes a job leaves a folder."""
    queue = open_queue(Steps(), starts=False)
    known = add(queue, "known")
    (queue.folder / "0123456789abcdef" / "sources").mkdir(parents=True)
    queue.close()
    again = open_queue(Steps(), starts=False)
    assert [path.name for path in again.folder.iterdir()] == [known.id]


def test_a_full_disk_ends_no_lane(open_queue):
    """SQLite says that the disk is full where its table has as many pages as it may have."""
    kind = Steps()
    queue = open_queue(kind)
    (n_pages,) = queue._store._db.execute("PRAGMA page_count").fetchone()
    queue._store._db.execute(f"PRAGMA max_page_count = {n_pages}")
    kind.may_go.set()
    jobs = [add(queue, f"{n:04}" * 1000) for n in range(5)]
    finish(queue, *jobs)
    assert [job.status for job in jobs] == ["done"] * 5
    assert len(queue._store.load()) < 5  # it was full
