"""Cost of a conversion: seconds per second of audio by stage, memory, and on what machine."""

import platform
import resource
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from voxcycle.runtime.session import count_threads


def summarize_cost(seconds: Mapping[str, float], audio_s: float) -> dict[str, Any]:
    """Return real-time factors by stage and in all, and the seconds of audio behind them."""
    factors = {stage: s / audio_s for stage, s in seconds.items() if audio_s}
    return {
        "audio_s": round(audio_s, 2),
        "real_time_factor": {k: round(v, 5) for k, v in factors.items()}
        | ({"whole": round(sum(factors.values()), 5)} if factors else {}),
    }


def peak_memory_mb() -> float:
    """Return this process's peak resident size, in MB of 2^20 bytes."""
    # On Linux from the process's own status: `ru_maxrss` of a child starts at its parent's.
    if own := _read_proc("self/status", "VmHWM"):
        return int(own.split()[0]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 2**20


def cpu_name() -> str:
    """Return the processor's name as the system gives it."""
    return _read_proc("cpuinfo", "model name") or platform.processor() or platform.machine()


def _read_proc(name: str, key: str) -> str:
    """Return the first value of a key in a file of Linux's /proc; empty elsewhere."""
    path = Path("/proc") / name
    lines = path.read_text().splitlines() if path.exists() else []
    found = (line.partition(":")[2].strip() for line in lines if line.startswith(key))
    return next(found, "")


def describe_machine() -> dict[str, Any]:
    """Return what speed depends on: processor, threads, versions."""
    return {
        "cpu": cpu_name(),
        "threads": count_threads(),
        "python": platform.python_version(),
        "onnxruntime": version("onnxruntime"),
    }
