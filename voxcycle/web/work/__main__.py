"""One task in this process: read from the file that is named, told about in lines of JSON.

The server holds this process's standard input. Where it ends, the process is interrupted.
"""

import _thread
import contextlib
import importlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from voxcycle.console import to_line

WORKS = frozenset({"clone", "report", "train", "use", "evaluate"})
INTERRUPTED, FAILED = 130, 2
LAST_S = 90.0  # after an interruption that nothing heeds


def main(path: Path) -> int:
    """Do the task; returns the exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a server in the background has none
    tell = _take_stdout()
    threading.Thread(target=_watch_stdin, daemon=True).start()
    task = json.loads(path.read_text("utf-8"))
    if task["work"] not in WORKS:
        raise ValueError(f"unknown work {task['work']}")
    if task.get("is_long"):
        with contextlib.suppress(AttributeError, OSError):  # Windows has none
            os.nice(10)  # conversions come first
    try:
        from voxcycle.runtime.session import use_threads

        use_threads(task.get("threads", 0))
        importlib.import_module(f"voxcycle.web.work.{task['work']}").work(task, tell)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        tell({"failed": to_line(str(error))})
        return FAILED
    return 0


def _take_stdout() -> Callable[[dict[str, Any]], None]:
    """Keep standard output for events; what is printed goes to standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lock = threading.Lock()

    def tell(event: dict[str, Any]) -> None:
        with lock, contextlib.suppress(OSError):  # the server is gone: the end is near
            out.write(json.dumps(event) + "\n")
            out.flush()

    return tell


def _watch_stdin() -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:
        os.kill(os.getpid(), signal.SIGINT)  # which ends what waits, too
    time.sleep(LAST_S)
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    code = main(Path(sys.argv[1]))
    sys.stderr.flush()
    os._exit(code)  # threads of libraries may not hold up the end
