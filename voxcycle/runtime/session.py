"""Sessions of ONNX Runtime: threads and device are chosen here, once for a process."""

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxcycle.runtime.graph import Graph

if TYPE_CHECKING:
    import onnxruntime

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
DEVICES = ("auto", *PROVIDERS)
_chosen: dict[str, Any] = {"threads": 0, "device": "cpu"}  # as the threads of a math library


def use_threads(n_threads: int) -> None:
    """Let networks of this process use `n_threads` threads, 0 for one per core.

    Networks that have run already keep theirs. ValueError for less than 0.
    """
    if n_threads < 0:
        raise ValueError(f"threads {n_threads}: a number from 0 on is needed")
    _chosen["threads"] = n_threads


def count_threads() -> int:
    """Return how many threads a network uses."""
    return (
        _chosen["threads"] or len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else _chosen["threads"] or (os.cpu_count() or 1)
    )


def use_device(name: str) -> None:
    """Let networks of this process run on a device of `DEVICES`; "auto" takes the best there is.

    ValueError where the installed ONNX Runtime does not know it.
    """
    import onnxruntime

    there = onnxruntime.get_available_providers()
    known = [device for device, provider in PROVIDERS.items() if provider in there]
    if name == "auto":
        name = next((device for device in ("cuda", "coreml", "directml") if device in known), "cpu")
    if name not in known:
        raise ValueError(
            f"device {name}: this installation of ONNX Runtime has {', '.join(known)}; install its "
            "package for that device"
        )
    _chosen["device"] = name


class Session:
    """A graph, or an .onnx file of our own, made ready to run when it is first used."""

    def __init__(self, graph: Graph | Path) -> None:
        self._graph: Graph | Path | None = graph

    def run(self, inputs: Mapping[str, NDArray[np.floating[Any]]]) -> dict[str, NDArray[Any]]:
        """Compute the outputs by name; inputs become float32."""
        arrays = {name: np.ascontiguousarray(x, np.float32) for name, x in inputs.items()}
        session = self._session
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, arrays), strict=True))

    @functools.cached_property
    def _session(self) -> "onnxruntime.InferenceSession":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = count_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Both would multiply the memory, and save nothing with the sizes of chunks.
        options.enable_cpu_mem_arena = False
        options.add_session_config_entry("session.disable_prepacking", "1")
        providers = [PROVIDERS[_chosen["device"]]]
        if providers != [PROVIDERS["cpu"]]:
            providers.append(PROVIDERS["cpu"])
        assert self._graph is not None
        graph, self._graph = self._graph, None
        model = graph.read_bytes() if isinstance(graph, Path) else graph.to_bytes()
        del graph  # whose weights are in the model now
        return onnxruntime.InferenceSession(model, options, providers=providers)
