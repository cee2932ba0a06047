"""A network's weights as arrays, checked against what its arguments ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxcycle.runtime.session import without_sessions

Arrays = Mapping[str, NDArray[Any]]
# First and last layer of our networks were called so in files of format 1 and 2.
RETIRED_NAMES = {"inlet": "embed", "outlet": "out"}


@dataclass(frozen=True)
class StoredNetwork:
    """A network as a file holds it: constructor arguments, and weights of any precision."""

    arguments: dict[str, Any]
    weights: Arrays

    __getstate__ = without_sessions

    def to_fp16(self) -> dict[str, NDArray[np.float16]]:
        """Return the weights as files store them."""
        return {name: np.asarray(x).astype(np.float16) for name, x in self.weights.items()}


class Weights:
    """Arrays of any precision by name, taken once each."""

    def __init__(self, arrays: Arrays) -> None:
        self._left = {current_name(name): array for name, array in arrays.items()}

    def take(self, name: str, *shape: int) -> NDArray[np.floating[Any]]:
        """Return the array of that name and shape; ValueError where there is none."""
        array = self._left.pop(name, None)
        if array is None or array.shape != shape:
            found = "missing" if array is None else f"of shape {array.shape}, not {shape}"
            raise ValueError(f"weights of another network: {name} is {found}")
        if not np.issubdtype(array.dtype, np.floating):
            raise ValueError(f"weights of another network: {name} holds {array.dtype}")
        return array

    def require_empty(self) -> None:
        """Raise ValueError unless every array was taken."""
        if self._left:
            first = min(self._left)
            raise ValueError(
                f"weights of another network: {first} and {len(self._left) - 1} more are not its"
            )


def current_name(name: str) -> str:
    """Return what a weight of a file of any format is called now."""
    return ".".join(RETIRED_NAMES.get(part, part) for part in name.split("."))
