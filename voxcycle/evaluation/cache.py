"""A cache on disk: results under the hash of their inputs."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxcycle.files import replacing


class ContentCache:
    """A folder of arrays, each named by the hash of its inputs.

    Args:
        folder: holds the arrays; made at the first use. None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def remember(
        self, kind: str, compute: Callable[[], Any], *inputs: str | NDArray[Any]
    ) -> NDArray[Any]:
        """Return `compute()` as an array, from disk if the inputs are known.

        Args:
            kind: name of the computation, with the versions behind it.
            compute: makes a number, a string or an array.
            inputs: everything that the result depends on.
        """
        if self.folder is None:
            return np.asarray(compute())
        path = self.folder / f"{_hash(kind, *inputs)}.npy"
        # Missing, truncated and damaged files are computed again.
        with suppress(OSError, EOFError, ValueError):
            return np.load(path, allow_pickle=False)
        result = np.asarray(compute())
        with replacing(path) as partial, partial.open("wb") as stream:
            np.save(stream, result, allow_pickle=False)
        return result


def _hash(*inputs: str | NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for value in inputs:
        if isinstance(value, str):
            digest.update(f"text {len(value)} {value}\n".encode())
        else:
            digest.update(f"array {value.dtype} {value.shape}\n".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()
