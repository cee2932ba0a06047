"""Training as a list of phases: freeze, zero, backward, clip, step and log are written once.

A method (one file in `voxcycle.methods`) is an `nn.Module` that holds its networks and returns its
phases; `PhasedModule` lets a Lightning Trainer run them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

Memory = dict[str, Tensor]
Loss = Callable[[Any, Memory], dict[str, Tensor]]
OptimizerFactory = Callable[[list[nn.Parameter]], torch.optim.Optimizer]


@dataclass
class Phase:
    """One optimisation within a training step.

    Attributes:
        name: prefix of the log keys.
        networks: what this phase trains; everything else is frozen meanwhile.
        loss: maps the batch and the step's memory to unweighted named terms. The memory is a dict
            that later phases of the same step read (detached fakes).
        weights: a weight for each term, under the same names.
        optimizer: built from the parameters of `networks`; or the name of an earlier phase, whose
            optimizer is used. Adam would divide the weight of a lazy regularizer with an optimizer
            of its own out of its gradient.
        every: run on every n-th step.
        clip: largest gradient norm, None for no clipping.
    """

    name: str
    networks: list[nn.Module]
    loss: Loss
    weights: Mapping[str, float]
    optimizer: OptimizerFactory | str
    every: int = 1
    clip: float | None = None
    parameters: list[nn.Parameter] = field(init=False)

    def __post_init__(self) -> None:
        self.parameters = [p for network in self.networks for p in network.parameters()]


class Method(Protocol):
    """What `PhasedModule` trains: an `nn.Module` with phases."""

    def phases(self) -> list[Phase]:
        """Return the phases in the order in which a step runs them."""
        ...

    def averaged(self) -> nn.Module | None:
        """Return the networks to average over training (the generators), or None."""
        ...


def weigh(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Return the weighted sum; ValueError where a term has no weight or a weight no term."""
    if terms.keys() != weights.keys():
        raise ValueError(
            f"loss terms {sorted(terms)} and weights {sorted(weights)} must have the same names"
        )
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum()


class PhasedModule(LightningModule):
    """Runs the phases of a method under a Lightning Trainer.

    `steps_done` counts batches; it drives stopping, checkpoints and the axis of the logs, because
    Lightning's `global_step` counts optimizer steps under manual optimization.

    Args:
        method: an `nn.Module` with `phases()`.
        ema_decay: of the average over the generators, `min(decay, (1 + n) / (10 + n))` at step n.
    """

    steps_done: Tensor

    def __init__(self, method: nn.Module, ema_decay: float = 0.999) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.method = method
        self.phases: list[Phase] = method.phases()  # type: ignore[operator]
        self.ema_decay = ema_decay
        averaged = method.averaged()  # type: ignore[operator]
        self.register_buffer("steps_done", torch.zeros((), dtype=torch.long))
        # kept out of the module tree: the method owns these networks already
        self._averaged = (averaged,)
        self.ema = AveragedModel(averaged) if averaged is not None else None
        self.logged: dict[str, Tensor] = {}

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Build the optimizers, in the order of the phases that have one of their own."""
        return [
            phase.optimizer(phase.parameters)
            for phase in self.phases
            if not isinstance(phase.optimizer, str)
        ]

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """Run every phase that is due, then average the generators."""
        optimizers = self.optimizers()
        self.run_phases(
            batch,
            optimizers if isinstance(optimizers, list) else [optimizers],
            self.manual_backward,
        )
        if self.ema is not None:
            step = int(self.steps_done)
            decay = min(self.ema_decay, (1 + step) / (10 + step))
            self.ema.multi_avg_fn = get_ema_multi_avg_fn(decay)
            self.ema.update_parameters(self._averaged[0])
        self.steps_done += 1

    def run_phases(
        self, batch: Any, optimizers: Sequence[Any], backward: Callable[[Tensor], None]
    ) -> None:
        """Freeze, compute, clear, backward, clip and step, for each phase that is due."""
        step = int(self.steps_done)
        memory: Memory = {}
        self.logged = {}
        owners = [phase.name for phase in self.phases if not isinstance(phase.optimizer, str)]
        by_name = dict(zip(owners, optimizers, strict=True))
        for phase in self.phases:
            if step % phase.every:
                continue
            owner = phase.optimizer if isinstance(phase.optimizer, str) else phase.name
            optimizer = by_name[owner]
            self._freeze_all_but(phase)
            terms = phase.loss(batch, memory)
            total = weigh(terms, phase.weights)
            optimizer.zero_grad(set_to_none=True)
            backward(total)
            if phase.clip is not None:
                torch.nn.utils.clip_grad_norm_(phase.parameters, phase.clip)
            optimizer.step()
            self.logged |= {f"{phase.name}/{k}": v.detach() for k, v in terms.items()}

    def _freeze_all_but(self, phase: Phase) -> None:
        trained = {id(p) for p in phase.parameters}
        for parameter in self.method.parameters():
            parameter.requires_grad_(id(parameter) in trained)
