"""Voice conversion for ordinary computers: a CycleGAN on mel spectrograms, offline, on a CPU.

The public names are imported when they are first used, so that `import voxcycle` costs nothing.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxcycle.audio.mel import MelSpec
    from voxcycle.conversion.batch import convert_files
    from voxcycle.conversion.options import Conversion
    from voxcycle.conversion.pipeline import convert
    from voxcycle.runtime.session import use_device, use_threads
    from voxcycle.voices.library import load_voice
    from voxcycle.voices.voice import Voice

# ONNX Runtime, from 1.29 on, reports its use to its maker unless this is set before its import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
__all__ = [
    "Conversion",
    "MelSpec",
    "Voice",
    "convert",
    "convert_files",
    "load_voice",
    "use_device",
    "use_threads",
]

_HOMES = {
    "Conversion": "voxcycle.conversion.options",
    "MelSpec": "voxcycle.audio.mel",
    "Voice": "voxcycle.voices.voice",
    "convert": "voxcycle.conversion.pipeline",
    "convert_files": "voxcycle.conversion.batch",
    "load_voice": "voxcycle.voices.library",
    "use_device": "voxcycle.runtime.session",
    "use_threads": "voxcycle.runtime.session",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
