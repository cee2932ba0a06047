"""Voices of a training as it is now: its best weights, or its last where nothing was measured."""

import os
import shutil
from pathlib import Path
from typing import Any

import torch

from voxcycle.files import CHECKPOINT_FILE
from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.speech.train_voice import train_voice
from voxcycle.training.config import load_config
from voxcycle.web.work.clips import Tell
from voxcycle.web.work.train import RUN


def work(task: dict[str, Any], tell: Tell) -> None:
    """Export from a copy of the run, which may go on meanwhile."""
    run = Path(task["training"]) / RUN
    if not (run / CHECKPOINT_FILE).is_file():
        raise ValueError("The training has saved nothing yet; wait a little.")
    copy = Path(task["folder"]) / RUN
    tell({"share": 0.1, "message": "copying the training"})
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(
        run, copy, ignore=shutil.ignore_patterns("log", ".*", "clips", "*.part"), dirs_exist_ok=True
    )
    if (run / "clips").is_dir():
        shutil.copytree(run / "clips", copy / "clips", copy_function=_link)
    n_steps = torch.load(copy / CHECKPOINT_FILE, map_location="cpu", weights_only=True)[
        "steps_done"
    ]
    source = Path(task["training"])
    fixed = {"a": source / "a", "b": source / "b", "out": copy, "steps": n_steps}
    tell({"share": 0.3, "message": f"choosing the best weights up to step {n_steps:,}"})
    trained = train_voice(load_config(VoiceTrainingConfig, fixed), resume=True)
    tell({"voices": [path.name for path in trained.voices], "step": n_steps})


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a disk without links
        shutil.copyfile(source, target)
