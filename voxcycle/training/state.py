"""What a training changes: networks, their average, optimizers, and the number of steps."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from voxcycle.methods.phase import Arithmetic, Phase, build_optimizers, run_phases


class TrainingState:
    """A method in training.

    Args:
        method: an `nn.Module` with `phases()` and `averaged()`.
        ema_decay: of the average over the generators, `min(decay, (1 + n) / (10 + n))` at step n.

    Attributes:
        ema: holds the averaged networks as `ema.module`; None where nothing is averaged.
        phases: in the order in which a step runs them.
        optimizers: by the name of the phase that owns it.
        steps_done: batches, over all resumptions.
        logged: unweighted loss terms of the last step, as `phase/term`.
    """

    def __init__(self, method: nn.Module, ema_decay: float = 0.999) -> None:
        self.method = method
        self.phases: list[Phase] = method.phases()  # type: ignore[operator]
        self.optimizers = build_optimizers(self.phases)
        self.ema_decay = ema_decay
        self._averaged: nn.Module | None = method.averaged()  # type: ignore[operator]
        self.ema = AveragedModel(self._averaged) if self._averaged is not None else None
        self.steps_done = 0
        self.logged: dict[str, Tensor] = {}

    def run_phases(self, batch: Any, arithmetic: Arithmetic | None = None) -> None:
        """Run every phase that is due at this step."""
        self.logged = run_phases(
            self.method,  # type: ignore[arg-type]
            self.phases,
            self.optimizers,
            batch,
            step=self.steps_done,
            arithmetic=arithmetic,
        )

    def end_step(self) -> None:
        """Average the generators and count the step."""
        if self.ema is not None and self._averaged is not None:
            decay = min(self.ema_decay, (1 + self.steps_done) / (10 + self.steps_done))
            self.ema.multi_avg_fn = get_ema_multi_avg_fn(decay)
            self.ema.update_parameters(self._averaged)
        self.steps_done += 1

    def to(self, device: torch.device) -> "TrainingState":
        """Move networks, average and optimizers, in place."""
        self.method.to(device)
        if self.ema is not None:
            self.ema.to(device)
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
        """Take what `state_dict` returned.

        Raises:
            KeyError, RuntimeError, ValueError: it is of another method.
        """
        self.method.load_state_dict(stored["method"])
        if self.ema is not None:
            self.ema.load_state_dict(stored["ema"])
        if with_optimizers:
            for name, optimizer in self.optimizers.items():
                optimizer.load_state_dict(stored["optimizers"][name])
        self.steps_done = stored["steps_done"]
