"""Train a source-filter vocoder from folders of recordings.

    python recipes/vocoder.py runs/vocoder recordings/anna recordings/ben --steps 20000
    voxcycle convert talk.wav --to heart --vocoder runs/vocoder/vocoder.safetensors

Any speakers, any sentences, no transcripts; an hour of clean speech of a dozen speakers makes a
vocoder for speakers whom it never heard.
"""

import argparse
from pathlib import Path

from voxcycle.training.vocoder import VocoderTrainingConfig, train_vocoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder of the run")
    parser.add_argument("folders", type=Path, nargs="+", help="recordings, one folder per speaker")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=0, help="0 takes all cores")
    parser.add_argument("--resume", action="store_true", help="go on with the run in OUT")
    args = parser.parse_args()

    config = VocoderTrainingConfig(
        folders=tuple(args.folders),
        out=args.out,
        steps=args.steps,
        threads=args.threads,
        # What you may want to change:
        #   discriminator_width=0: the spectral losses alone, five times faster, less natural
        #   width=384: a larger network, where speed is less of a concern
    )
    trained = train_vocoder(config, resume=args.resume)
    print(f"{trained.path}  ({trained.n_steps} steps)")


if __name__ == "__main__":
    main()
