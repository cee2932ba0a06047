"""Pack the features of a long training into one file, for another machine with a GPU.

    python recipes/pack_training.py vocoder runs/vocoder.pack recordings/anna recordings/ben \
        --voice heart start=voxcycle/vocoders/fast.safetensors
    python recipes/pack_training.py pretrained runs/pretrained.pack recordings/anna recordings/ben

Folders, voices and settings are those of recipes/train_vocoder.py or recipes/train_pretrained.py;
the pack keeps the settings. It holds as many recordings as fit, drawn evenly from the folders.
`recipes/run_packed.sh` trains from it, and docs/train.md says what the other machine needs.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from voxcycle.console import errors_in_one_sentence
from voxcycle.speech.config import PretrainedTrainingConfig, VocoderTrainingConfig
from voxcycle.speech.packing import (
    CONVERTED_SHARE,
    STEPS_PER_RMS,
    pack_pretraining,
    pack_vocoder_training,
)
from voxcycle.training.config import load_config, parse_overrides

MEGABYTES = 24.0
# What trainings import and a machine with PyTorch and Lightning may lack.
CARRIED = (
    "pydantic", "pydantic-core", "annotated-types", "typing-inspection", "typing-extensions",
    "platformdirs",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("training", choices=("vocoder", "pretrained"))
    parser.add_argument("pack", type=Path, help="file to write")
    parser.add_argument("folders", nargs="*", help="recordings, one folder per speaker; key=value")
    parser.add_argument("--voice", action="append", default=[], help="name or file; vocoder only")
    parser.add_argument("--megabytes", type=float, default=MEGABYTES, help="largest size")
    parser.add_argument(
        "--converted", type=float, default=CONVERTED_SHARE, help="share of conversions in the pack"
    )
    parser.add_argument("--lossless", action="store_true", help="keep every bit of the samples")
    parser.add_argument("--wheels", type=Path, help="folder that receives packages to carry")
    parser.add_argument("--python", default="3.12", help="version that the wheels are for")
    args = parser.parse_intermixed_args()
    settings = parse_overrides([word for word in args.folders if "=" in word])
    folders = [Path(word) for word in args.folders if "=" not in word]
    given: dict[str, Any] = {"out": Path("run"), "folders": folders, **settings}
    console, size = Console(stderr=True, markup=False, highlight=False), args.megabytes
    if args.training == "vocoder":
        packed = pack_vocoder_training(
            load_config(VocoderTrainingConfig, given | {"voices": args.voice}),
            args.pack,
            megabytes=size,
            console=console,
            converted_share=args.converted,
            steps_per_rms=None if args.lossless else STEPS_PER_RMS,
        )
    else:
        config = load_config(PretrainedTrainingConfig, given)
        packed = pack_pretraining(config, args.pack, megabytes=size, console=console)
    held = f"{packed.minutes:.1f} min of recordings"
    if packed.minutes_converted:
        held += f", {packed.minutes_converted:.1f} min of conversions"
    print(f"{packed.path}  {packed.path.stat().st_size / 1e6:.1f} MB: {held}")
    if args.wheels:
        fetch_wheels(args.wheels, args.python)


def fetch_wheels(folder: Path, python: str) -> None:
    platforms = [f"--platform=manylinux{name}_x86_64" for name in ("2014", "_2_17", "_2_28")]
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    # The versions that belong together are those of this environment.
    from importlib.metadata import version

    names = [f"{name}=={version(name)}" for name in CARRIED]
    command = [sys.executable, "-m", "pip", "download", *options, f"--python-version={python}"]
    subprocess.run([*command, *platforms, f"--dest={folder}", *names], check=True)
    size = sum(path.stat().st_size for path in folder.glob("*.whl")) / 1e6
    print(f"{folder}  {size:.1f} MB of packages for Python {python}")


if __name__ == "__main__":
    with errors_in_one_sentence():
        main()
