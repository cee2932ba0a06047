"""Train the pretrained networks, from which new voices start, from one folder per speaker.

    python recipes/train_pretrained.py runs/pretrained recordings/anna recordings/ben --steps 20000
    voxcycle train --a dora/ --b emil/ --pretrained runs/pretrained/pretrained.safetensors

Any speakers, any sentences, no transcripts, at least half a minute of each; more speakers are
better. Settings follow as key=value, such as `perturbed_source=0.5`. `--pack FILE` takes recordings
and settings from a file of recipes/pack_training.py; given settings replace those of the pack.
"""

import argparse
from pathlib import Path
from typing import Any

from voxcycle.console import errors_in_one_sentence
from voxcycle.speech.packs import PRETRAINING, read_settings_of
from voxcycle.speech.train_pretrained import PretrainedTrainingConfig, train_pretrained
from voxcycle.training.config import load_config, parse_overrides


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="folder of the run")
    parser.add_argument("folders", nargs="*", help="recordings, one folder per speaker; key=value")
    parser.add_argument("--pack", type=Path, help="of pack_training.py, in place of folders")
    parser.add_argument("--steps", type=int, help="in all; default: 20000, or the run's own")
    parser.add_argument("--resume", action="store_true", help="continue the run in OUT")
    args = parser.parse_intermixed_args()
    folders = [Path(word).absolute() for word in args.folders if "=" not in word]
    settings = parse_overrides([word for word in args.folders if "=" in word])
    given: dict[str, Any] = {"out": args.out}
    if args.pack:
        given["pack"] = args.pack
        if not args.resume:  # a resumed run has its own settings
            given |= read_settings_of(args.pack, PRETRAINING)
    if folders or not args.pack:
        given["folders"] = folders
    if args.steps is not None:
        given["steps"] = args.steps
    config = load_config(PretrainedTrainingConfig, given | settings)
    trained = train_pretrained(config, resume=args.resume)
    print(f"{trained.path}  ({trained.n_steps} steps)")


if __name__ == "__main__":
    with errors_in_one_sentence():
        main()
