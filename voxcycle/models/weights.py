"""Between networks and files: weights as arrays, and networks built from checked arrays."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from voxcycle.runtime.weights import StoredNetwork, current_name

Network = TypeVar("Network", bound=nn.Module)


def load_network(build: Callable[[], Network], arrays: Mapping[str, NDArray[Any]]) -> Network:
    """Build a network and load weights of any precision as float32.

    Names and shapes are compared before anything is allocated.

    Raises:
        ValueError: the weights are those of another network.
    """
    with torch.device("meta"):
        expected = {name: tuple(value.shape) for name, value in build().state_dict().items()}
    weights = arrays
    if expected.keys() != arrays.keys():
        weights = {current_name(name): array for name, array in arrays.items()}
    found = {name: array.shape for name, array in weights.items()}
    if found != expected:
        differing = sorted(dict(found.items() ^ expected.items()))
        raise ValueError(
            f"weights of another network: {differing[0]} and {len(differing) - 1} more"
        )
    with torch.random.fork_rng(devices=[]):  # keep the caller's random state
        network = build()
    network.load_state_dict(
        {name: torch.from_numpy(array.astype(np.float32)) for name, array in weights.items()}
    )
    return network


def to_arrays(network: nn.Module) -> dict[str, NDArray[np.float16]]:
    """Return the weights in fp16, by name."""
    return {
        name: value.detach().to("cpu", torch.float16).numpy()
        for name, value in network.state_dict().items()
    }


def store_network(network: nn.Module) -> StoredNetwork:
    """Return a network of ours, which knows its `arguments`, with its weights as they are."""
    weights = {
        name: x.detach().to("cpu", torch.float32) for name, x in network.state_dict().items()
    }
    copies = {name: value.numpy().copy() for name, value in weights.items()}
    return StoredNetwork(dict(network.arguments), copies)  # type: ignore[arg-type]
