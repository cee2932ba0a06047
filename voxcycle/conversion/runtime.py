"""How stages run networks: arrays in, arrays out, whatever library computes them.

Here mels change their layout, and nowhere else in a conversion: stages hold frames (F, n), networks
see (1, n, F).
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Arrays = dict[str, NDArray[np.float32]]


class Network(Protocol):
    """A network that can be run: named arrays to named arrays, frames first, (F, n)."""

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> Arrays:
        """Compute the outputs."""
        ...


class TorchNetwork:
    """A PyTorch module that takes its inputs by name and returns one tensor.

    Args:
        module: in evaluation mode.
        output: the name of what it returns.
    """

    def __init__(self, module: nn.Module, output: str) -> None:
        self.module, self.output = module, output

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> Arrays:
        """See `Network`."""
        device = next(self.module.parameters()).device
        with torch.inference_mode():
            tensors = {name: to_batch(frames).to(device) for name, frames in inputs.items()}
            return {self.output: to_frames(self.module(**tensors))}


def to_batch(frames: NDArray[np.floating]) -> torch.Tensor:
    """Turn (F, n) into (1, n, F)."""
    return torch.from_numpy(np.ascontiguousarray(frames.T, np.float32))[None]


def to_frames(batch: torch.Tensor) -> NDArray[np.float32]:
    """Turn (1, n, F) into (F, n)."""
    return batch[0].T.cpu().numpy()
