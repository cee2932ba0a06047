"""Sessions of ONNX Runtime: threads and device are chosen here, once for a process."""

import functools
import os
import threading
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
    """Return how many threads a network uses: as chosen, else OMP_NUM_THREADS, else all cores."""
    chosen = _chosen["threads"] or os.environ.get("OMP_NUM_THREADS", "")
    return int(chosen) if str(chosen).isdecimal() and int(chosen) else count_cores()


def count_cores() -> int:
    """Return how many cores this process may use."""
    is_known = hasattr(os, "sched_getaffinity")  # on Linux: the cores that this process may use
    return len(os.sched_getaffinity(0)) if is_known else os.cpu_count() or 1


def use_device(name: str) -> None:
    """Let networks of this process run on a device of `DEVICES`; "auto" takes the best there is.

    ValueError where the installed ONNX Runtime does not know it.
    """
    import onnxruntime

    if name not in DEVICES:
        raise ValueError(f"device {name}: known are {', '.join(DEVICES)}")
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
        self._session: onnxruntime.InferenceSession | None = None
        self._lock = threading.Lock()

    def run(self, inputs: Mapping[str, NDArray[np.floating[Any]]]) -> dict[str, NDArray[Any]]:
        """Compute the outputs by name; inputs become float32.

        Raises:
            RuntimeError: the graph cannot be built or run, for lack of memory as a rule.
        """
        arrays = {name: np.ascontiguousarray(x, np.float32) for name, x in inputs.items()}
        try:
            session = self._open()
            names = [output.name for output in session.get_outputs()]
            return dict(zip(names, session.run(names, arrays), strict=True))
        except Exception as error:  # ONNX Runtime's types derive from Exception alone
            raise RuntimeError(f"ONNX Runtime: {error}") from error

    def _open(self) -> "onnxruntime.InferenceSession":
        import onnxruntime

        with self._lock:  # two threads may be the first
            if self._session is None:
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = count_threads()
                options.inter_op_num_threads = 1
                options.log_severity_level = 3
                # Threads that wait busily after a run take the cores from what runs next.
                options.add_session_config_entry("session.force_spinning_stop", "1")
                # Activations of all networks share an arena that grows by what is asked for;
                # weights stay out of it. ONNX Runtime's own arenas grow by powers of two.
                options.add_session_config_entry("session.use_env_allocators", "1")
                options.add_session_config_entry(
                    "session.use_device_allocator_for_initializers", "1"
                )
                options.enable_mem_pattern = False
                _share_arena()
                providers = dict.fromkeys([PROVIDERS[_chosen["device"]], PROVIDERS["cpu"]])
                graph, self._graph = self._graph, None
                assert graph is not None
                model = graph.read_bytes() if isinstance(graph, Path) else graph.to_bytes()
                del graph  # whose weights are in the model now
                self._session = onnxruntime.InferenceSession(
                    model, options, providers=list(providers)
                )
            return self._session


@functools.cache
def _share_arena() -> None:
    """Make the arena of this process, once."""
    import onnxruntime as ort

    memory = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    as_requested = ort.OrtArenaCfg({"arena_extend_strategy": 1})  # 0: by powers of two
    ort.create_and_register_allocator(memory, as_requested)


def without_sessions(network: object) -> dict[str, Any]:
    """Return what is pickled or copied of an object that keeps sessions, which are made again."""
    return {name: x for name, x in vars(network).items() if not isinstance(x, Session)}
