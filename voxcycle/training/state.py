"""What a training changes, its steps and its checkpoint: networks, average, optimizers, step count.

Freeze, zero, backward, clip, step and log are written once, here.
"""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from voxcycle.files import replacing
from voxcycle.methods.phase import Memory, Phase, weigh
from voxcycle.training.processes import average


class TrainingState:
    """A method in training.

    Args:
        method: an `nn.Module` with `phases()`.
        ema_decay: of the average over the generators, `min(decay, (1 + n) / (10 + n))` at step n.

    Attributes:
        averaged: the method's networks that are averaged; None where nothing is.
        ema: holds their average as `ema.module`, or None.
        phases: in the order in which a step runs them.
        optimizers: by the name of the phase that owns it.
        steps_done: batches, over all resumptions.
        logged: unweighted loss terms of the last step, as `phase/term`.
    """

    def __init__(self, method: nn.Module, ema_decay: float = 0.999) -> None:
        self.method = method
        self.phases: list[Phase] = method.phases()  # type: ignore[operator]
        self.optimizers = {
            phase.name: phase.optimizer(phase.parameters)
            for phase in self.phases
            if not isinstance(phase.optimizer, str)
        }
        self.ema_decay = ema_decay
        self.averaged = next((phase.network for phase in self.phases if phase.is_averaged), None)
        self.ema = AveragedModel(self.averaged) if self.averaged is not None else None
        self.steps_done = 0
        self.logged: dict[str, Tensor] = {}

    def run_phases(self, batch: Any, fabric: Fabric | None = None) -> None:
        """Run every phase that is due at this step; Fabric brings precision and processes."""
        memory: Memory = {}
        self.logged = {}
        for phase in self.phases:
            if self.steps_done % phase.every:
                continue
            owner = phase.optimizer if isinstance(phase.optimizer, str) else phase.name
            trained = {id(p) for p in phase.parameters}
            for parameter in self.method.parameters():
                parameter.requires_grad_(id(parameter) in trained)
            with fabric.autocast() if fabric else nullcontext():
                terms = phase.loss(batch, memory)
                total = weigh(terms, phase.weights)
            self.optimizers[owner].zero_grad(set_to_none=True)
            if fabric:
                fabric.backward(total)
                average(fabric, [p.grad for p in phase.parameters if p.grad is not None])
            else:
                total.backward()
            if phase.clip is not None:
                torch.nn.utils.clip_grad_norm_(phase.parameters, phase.clip)
            self.optimizers[owner].step()
            self.logged |= {f"{phase.name}/{k}": v.detach() for k, v in terms.items()}

    def scale_rates(self, factor: float) -> None:
        """Set the learning rates to a factor of those that the optimizers began with."""
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = factor * group.setdefault("first_lr", group["lr"])

    def end_step(self) -> None:
        """Average the generators and count the step."""
        if self.ema is not None and self.averaged is not None:
            decay = min(self.ema_decay, (1 + self.steps_done) / (10 + self.steps_done))
            self.ema.multi_avg_fn = get_ema_multi_avg_fn(decay)
            self.ema.update_parameters(self.averaged)
        self.steps_done += 1

    def to(self, device: torch.device) -> "TrainingState":
        """Move networks, average and optimizers, in place."""
        self.method.to(device)
        if self.ema is not None:
            self.ema.to(device)
            # Every step compares this count with 0: on a GPU, each would wait for the last one.
            self.ema.n_averaged = self.ema.n_averaged.cpu()
        for optimizer in self.optimizers.values():
            optimizer.load_state_dict(optimizer.state_dict())  # follows its parameters
        return self

    def state_dict(self) -> dict[str, Any]:
        """Return all of it as tensors and numbers."""
        return {
            "steps_done": self.steps_done,
            "method": self.method.state_dict(),
            "ema": self.ema.state_dict() if self.ema is not None else {},
            "optimizers": {k: v.state_dict() for k, v in self.optimizers.items()},
        }

    def load_state_dict(self, stored: dict[str, Any], with_optimizers: bool = True) -> None:
        """Take a `state_dict`; KeyError, RuntimeError or ValueError if it is of another method."""
        self.method.load_state_dict(stored["method"])
        if self.ema is not None:
            self.ema.load_state_dict(stored["ema"])
        if with_optimizers:
            for name, optimizer in self.optimizers.items():
                optimizer.load_state_dict(stored["optimizers"][name])
        self.steps_done = stored["steps_done"]

    def save(self, path: Path) -> None:
        """Write a checkpoint; a training that is killed meanwhile keeps the former file.

        OSError where it cannot be written; the former file stays then, too.
        """
        try:
            with replacing(path) as partial:
                torch.save(self.state_dict(), partial)
        except (OSError, RuntimeError) as error:  # torch's own writer says little
            reason = getattr(error, "strerror", None) or "the disk is full, or the file too large"
            raise OSError(
                f"{path}: cannot be written ({reason}); make room, then --resume goes on from the "
                "last checkpoint"
            ) from error


def restore(state: TrainingState, path: Path, with_optimizers: bool) -> None:
    """Load a checkpoint of the same method; no pickle is read.

    With optimizers the run goes on, without them another begins with its networks.

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
    """A hook that saves what the state holds on every n-th step, as `stem-STEP.safetensors`."""

    def __init__(self, stem: Path, every: int, save: Callable[[TrainingState, Path], None]) -> None:
        self.stem, self.every, self.save = stem, every, save

    def __call__(self, state: TrainingState, writer: Any) -> None:
        """Save a snapshot if one is due."""
        if state.steps_done % self.every == 0:
            name = f"{self.stem.name}-{state.steps_done}.safetensors"
            self.save(state, self.stem.with_name(name))
