"""Training as a list of phases: freeze, zero, backward, clip, step and log are written once.

A method (one file in `voxcycle.methods`) is an `nn.Module` that holds its networks and returns its
phases; `run_phases` runs those of one step.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

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
    """What is trained: an `nn.Module` with phases."""

    def phases(self) -> list[Phase]:
        """Return the phases in the order in which a step runs them."""
        ...

    def averaged(self) -> nn.Module | None:
        """Return the networks to average over training (the generators), or None."""
        ...

    def parameters(self) -> Any:
        """Return all parameters, as `nn.Module` does."""
        ...


@dataclass(frozen=True)
class Arithmetic:
    """How the gradients of a phase are computed.

    Attributes:
        context: entered around every loss, for mixed precision.
        backward: fills the gradients of the phase's parameters from its weighted loss.
    """

    context: Callable[[], AbstractContextManager[Any]] = nullcontext
    backward: Callable[[Tensor, Sequence[nn.Parameter]], None] = lambda loss, _: loss.backward()


def weigh(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Return the weighted sum; ValueError where a term has no weight or a weight no term."""
    if terms.keys() != weights.keys():
        raise ValueError(
            f"loss terms {sorted(terms)} and weights {sorted(weights)} must have the same names"
        )
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum()


def build_optimizers(phases: Sequence[Phase]) -> dict[str, torch.optim.Optimizer]:
    """Return the optimizers of the phases that have one of their own, by the phase's name."""
    return {
        phase.name: phase.optimizer(phase.parameters)
        for phase in phases
        if not isinstance(phase.optimizer, str)
    }


def run_phases(
    method: Method,
    phases: Sequence[Phase],
    optimizers: Mapping[str, torch.optim.Optimizer],
    batch: Any,
    *,
    step: int,
    arithmetic: Arithmetic | None = None,
) -> dict[str, Tensor]:
    """Freeze, compute, clear, backward, clip and step, for each phase that is due.

    Returns:
        The unweighted terms, detached, as `phase/term`.
    """
    arithmetic = arithmetic or Arithmetic()
    memory: Memory = {}
    logged: dict[str, Tensor] = {}
    for phase in phases:
        if step % phase.every:
            continue
        owner = phase.optimizer if isinstance(phase.optimizer, str) else phase.name
        _freeze_all_but(phase, method)
        with arithmetic.context():
            terms = phase.loss(batch, memory)
            total = weigh(terms, phase.weights)
        optimizers[owner].zero_grad(set_to_none=True)
        arithmetic.backward(total, phase.parameters)
        if phase.clip is not None:
            torch.nn.utils.clip_grad_norm_(phase.parameters, phase.clip)
        optimizers[owner].step()
        logged |= {f"{phase.name}/{k}": v.detach() for k, v in terms.items()}
    return logged


def _freeze_all_but(phase: Phase, method: Method) -> None:
    trained = {id(p) for p in phase.parameters}
    for parameter in method.parameters():
        parameter.requires_grad_(id(parameter) in trained)
