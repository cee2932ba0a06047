"""Training as a list of phases, each one optimisation within a step.

A method (one file in `voxcycle.methods`) is an `nn.Module` that holds its networks and returns its
phases in the order in which a step runs them; `TrainingState.run_phases` does so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

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
        network: what this phase trains; everything else is frozen meanwhile.
        loss: maps the batch and the step's memory to unweighted named terms. The memory is a dict
            that later phases of the same step read (detached fakes).
        weights: a weight for each term, under the same names.
        optimizer: built from the parameters of `network`; or the name of an earlier phase, whose
            optimizer is used. Adam would divide the weight of a lazy regularizer with an optimizer
            of its own out of its gradient.
        every: run on every n-th step.
        clip: largest gradient norm, None for no clipping.
        is_averaged: whether `network` is averaged over training; at most one phase's is.
    """

    name: str
    network: nn.Module
    loss: Loss
    weights: Mapping[str, float]
    optimizer: OptimizerFactory | str
    every: int = 1
    clip: float | None = None
    is_averaged: bool = False
    parameters: list[nn.Parameter] = field(init=False)

    def __post_init__(self) -> None:
        self.parameters = list(self.network.parameters())


def weigh(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Return the weighted sum; ValueError where a term has no weight or a weight no term."""
    if terms.keys() != weights.keys():
        raise ValueError(
            f"loss terms {sorted(terms)} and weights {sorted(weights)} must have the same names"
        )
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum()
