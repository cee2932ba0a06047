"""Train the speaker encoder, from one folder per speaker.

    python recipes/train_speaker_encoder.py runs/encoder recordings/anna recordings/ben ...

Any speakers, any sentences, no transcripts; hundreds of speakers are better. Settings follow as
key=value, such as `n_embedding=32`.
"""

import argparse
from pathlib import Path

from voxcycle.console import errors_in_one_sentence
from voxcycle.speech.train_speaker_encoder import SpeakerEncoderConfig, train_speaker_encoder
from voxcycle.training.config import load_config, parse_overrides


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="folder of the run")
    parser.add_argument("folders", nargs="+", help="recordings, one folder per speaker; key=value")
    parser.add_argument("--steps", type=int, help="in all; default: 4000, or the run's own")
    parser.add_argument("--resume", action="store_true", help="continue the run in OUT")
    args = parser.parse_intermixed_args()
    folders = [Path(word).absolute() for word in args.folders if "=" not in word]
    settings = parse_overrides([word for word in args.folders if "=" in word])
    given = {"folders": folders, "out": args.out}
    if args.steps is not None:
        given["steps"] = args.steps
    config = load_config(SpeakerEncoderConfig, given | settings)
    print(train_speaker_encoder(config, resume=args.resume))


if __name__ == "__main__":
    with errors_in_one_sentence():
        main()
