"""Work in processes of its own: it can be stopped, may run out of memory, and keeps PyTorch away.

A child reads its task from a file and tells what happens as lines of JSON. It watches its standard
input: where that ends, because a stop was asked for or because the server is gone, it ends as by
Ctrl-C, and a training saves its state first.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from voxcycle.web.kinds import Control, Failed, Stopped
from voxcycle.web.uploads import write_json
from voxcycle.web.wording import reword

TASK, LOG = "task.json", "log.txt"
GRACE_S = 60.0  # to save, after a stop was asked for
CLOSING_GRACE_S = 20.0  # the same when the server ends
MAX_LINE = 100_000_000  # a report on days of recordings
Tell = Callable[[dict[str, Any]], None]


def run_child(
    task: dict[str, Any],
    control: Control,
    on_event: Tell = lambda event: None,
    names: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Do a task in a child process, and wait for its end.

    Args:
        task: plain values; `work` names a module of `voxcycle.web.work`.
        control: of the job; the task and what the child prints lie in its folder.
        on_event: called with every event of the child that is not its progress.
        names: of the job's files, for messages: see `reword`.

    Raises:
        Stopped: a stop was asked for.
        Failed: the child failed; says why.
    """
    path = control.folder / TASK
    write_json(path, task)
    failure = ""

    def handle(event: dict[str, Any]) -> None:
        nonlocal failure
        if "failed" in event:
            failure = reword(str(event["failed"]), control.folder, names or {})
        elif "share" in event or "message" in event:
            if not control.stop.is_set():
                control.report(event.get("share"), event.get("message"), event.get("seconds_left"))
        else:
            on_event(event)

    with (control.folder / LOG).open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "voxcycle.web.work", str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # Ctrl-C at the terminal is for the server
        )
    ended = threading.Event()
    watcher = threading.Thread(target=_stop_when_asked, args=(child, control, ended), daemon=True)
    watcher.start()
    try:
        assert child.stdout is not None
        for line in iter(lambda: child.stdout.readline(MAX_LINE), b""):  # type: ignore[union-attr]
            with contextlib.suppress(Stopped):
                handle(json.loads(line, parse_constant=lambda name: None))  # NaN is no JSON
        code = child.wait()
    finally:
        ended.set()
        _kill(child)
        watcher.join()
    if code == 0:
        return
    if control.stop.is_set():
        raise Stopped
    if code < 0:
        raise Failed(
            f"The work was ended from outside ({_name(-code)}), for lack of memory as a rule."
        )
    raise Failed(
        failure or f"The work ended with an error; {LOG} in the folder of the job shows it."
    )


def _stop_when_asked(
    child: "subprocess.Popen[bytes]", control: Control, ended: threading.Event
) -> None:
    while not control.stop.wait(0.2):
        if ended.is_set():
            return
    with contextlib.suppress(OSError):
        child.stdin.close()  # type: ignore[union-attr]
    if not ended.wait(CLOSING_GRACE_S if control.is_closing else GRACE_S):
        _kill(child)


def _kill(child: "subprocess.Popen[bytes]") -> None:
    """End a child, and what it has started, at once."""
    with contextlib.suppress(OSError):
        if child.stdin is not None:
            child.stdin.close()
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            child.kill()
        else:
            os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
