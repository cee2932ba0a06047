"""Train a base from folders of recordings, one per speaker: what new voices begin with.

    python recipes/train_pretrained.py runs/base recordings/anna recordings/ben --steps 20000
    voxcycle train --a dora/ --b emil/ --base runs/base/base.safetensors

Any speakers, any sentences, no transcripts, half a minute of each at least; the more speakers, the
better. Settings follow as key=value, such as `perturbed_source=0.5`.
"""

import argparse
from pathlib import Path

from voxcycle.speech.train_pretrained import BaseTrainingConfig, train_base
from voxcycle.training.config import load_config, parse_overrides


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="folder of the run")
    parser.add_argument("folders", nargs="+", help="recordings, one folder per speaker; key=value")
    parser.add_argument("--steps", type=int, help="in all; default: 20000, or the run's own")
    parser.add_argument("--resume", action="store_true", help="go on with the run in OUT")
    args = parser.parse_intermixed_args()
    folders = [Path(word).absolute() for word in args.folders if "=" not in word]
    settings = parse_overrides([word for word in args.folders if "=" in word])
    given = {"folders": folders, "out": args.out}
    if args.steps is not None:
        given["steps"] = args.steps
    trained = train_base(load_config(BaseTrainingConfig, given | settings), resume=args.resume)
    print(f"{trained.path}  ({trained.n_steps} steps)")


if __name__ == "__main__":
    main()
