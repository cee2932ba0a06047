"""The checkpoint of a run, and snapshots of what it makes."""

from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from voxcycle.files import replacing
from voxcycle.training.state import TrainingState

CHECKPOINT_FILE = "last.ckpt"  # in the folder of a run


def save_checkpoint(state: TrainingState, path: Path) -> None:
    """Write tensors and numbers; a training that is killed meanwhile keeps the former file."""
    with replacing(path) as partial:
        torch.save(state.state_dict(), partial)


def restore(state: TrainingState, path: Path, with_optimizers: bool) -> None:
    """Load a checkpoint; no pickle is read.

    Args:
        state: of the same method.
        path: of the checkpoint.
        with_optimizers: a run that goes on needs them, one that begins with its networks does not.

    Raises:
        ValueError: the file is damaged or belongs to other networks.
    """
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        state.load_state_dict(stored, with_optimizers)
    except (RuntimeError, KeyError, ValueError, TypeError, EOFError, UnpicklingError) as error:
        reason = (str(error).splitlines() or [""])[0].rstrip(":")
        raise ValueError(
            f"{path}: the checkpoint is damaged or of another run ({reason}); start a new run"
        ) from error


class Snapshots:
    """A hook that keeps what a training makes every n steps, for the curve of quality over time.

    Args:
        stem: the files are named `stem-STEP.safetensors`.
        every: n.
        save: writes what the state holds to a path.
    """

    def __init__(self, stem: Path, every: int, save: Callable[[TrainingState, Path], None]) -> None:
        self.stem, self.every, self.save = stem, every, save

    def __call__(self, state: TrainingState, writer: Any) -> None:
        """Save a snapshot if one is due."""
        if state.steps_done % self.every == 0:
            name = f"{self.stem.name}-{state.steps_done}.safetensors"
            self.save(state, self.stem.with_name(name))
