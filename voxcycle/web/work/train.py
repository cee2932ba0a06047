"""A training of a pair, told about while it runs, from its own log."""

import contextlib
import json
import shutil
import time
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch.utils.tensorboard import SummaryWriter

from voxcycle.files import CHECKPOINT_FILE, CONFIG_FILE
from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.speech.selector import best_path
from voxcycle.speech.train_voice import train_voice
from voxcycle.training.config import load_config, read_settings
from voxcycle.training.state import TrainingState
from voxcycle.web.work.clips import Tell
from voxcycle.web.work.run_log import RunLog

REPORT_S = 1.0  # between two looks at the log
RUN = "run"


def work(task: dict[str, Any], tell: Tell) -> None:
    """Begin a training, or go on with it where it has a checkpoint."""
    folder = Path(task["folder"])
    run = folder / RUN
    resumes = (run / CHECKPOINT_FILE).is_file() and (run / CONFIG_FILE).is_file()
    fixed = {"a": folder / "a", "b": folder / "b", "out": run}
    if resumes:
        steps = {"steps": task["n_steps"]} if task.get("n_steps") else {}
        config = load_config(VoiceTrainingConfig, {**fixed, **steps})
    else:
        shutil.rmtree(run, ignore_errors=True)  # of a call that never reached a checkpoint
        config = load_config(VoiceTrainingConfig, {**task["settings"], **fixed})
    tell({"share": None, "message": "cutting, screening and analysing the recordings"})
    trained = train_voice(config, resumes, hooks=[Watcher(run, folder, tell)])
    tell({"share": 1.0, "message": "writing the voices"})
    tell({"voices": [path.name for path in trained.voices], "best": find_best(run)})


class Watcher:
    """A hook that tells once a second of step, losses, time left, validations and the best.

    Args:
        run: folder of the training.
        folder: receives the audio of validations.
        tell: sends an event to the server.
    """

    def __init__(self, run: Path, folder: Path, tell: Tell) -> None:
        self.run, self.tell = run, tell
        self.log = RunLog(run / "log", folder / "stages")
        self.n_steps, self.first_step = 0, 0
        self.started = self.told = 0.0

    def __call__(self, state: TrainingState, writer: SummaryWriter) -> None:
        """Look at the log, if the last look is a second ago, or the training ends."""
        now = time.monotonic()
        if not self.started:
            self.n_steps = int(read_settings(self.run / CONFIG_FILE)["steps"])
            self.first_step, self.started = state.steps_done - 1, now
            self.tell({"n_steps": self.n_steps})
        if now - self.told < REPORT_S and state.steps_done < self.n_steps:
            return
        self.told = now
        writer.flush()
        found = self.log.read()
        n_done = state.steps_done - self.first_step
        left_s = (now - self.started) / max(n_done, 1) * (self.n_steps - state.steps_done)
        losses = {name: round(float(value), 4) for name, value in state.logged.items()}
        self.tell({"step": state.steps_done, "losses": losses, "stages": found} | self._saved())
        if found:
            self.tell({"best": find_best(self.run)})
        self.tell(
            {
                "share": state.steps_done / self.n_steps,
                "message": f"step {state.steps_done:,} of {self.n_steps:,}",
                "seconds_left": round(left_s) if n_done > 3 else None,
            }
        )

    def _saved(self) -> dict[str, bool]:
        return {"saved": (self.run / CHECKPOINT_FILE).is_file()}


def find_best(run: Path) -> dict[str, Any] | None:
    """Return step and scores of the best weights so far: of b, and of a."""
    best = {}
    for side, network in (("b", "g_ab"), ("a", "g_ba")):
        path = best_path(run, network)
        with contextlib.suppress(OSError, KeyError, ValueError):
            if path.exists():
                with safe_open(path, framework="numpy") as opened:
                    best[side] = json.loads(opened.metadata()["scores"])
    return best or None
