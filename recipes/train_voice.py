"""Train a pair of voices from two folders of recordings: read it, copy it, change it.

    python recipes/train_voice.py recordings/anna recordings/ben --minutes 15

Each folder holds a few minutes of one speaker (wav, flac, ogg or mp3; five minutes are a good
start). The sentences need not be the same and no transcripts are needed. The result is two voice
files, one per direction, for `voxcycle convert --to FILE`.
"""

import argparse
from pathlib import Path

from voxcycle.console import errors_in_one_sentence
from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.speech.train_voice import train_voice


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("a", type=Path, help="recordings of speaker a")
    parser.add_argument("b", type=Path, help="recordings of speaker b")
    parser.add_argument("--out", type=Path, help="folder of the run (default runs/A-B)")
    parser.add_argument("--minutes", type=float, default=15.0, help="time to train")
    parser.add_argument("--resume", action="store_true", help="continue the run in --out")
    args = parser.parse_args()

    config = VoiceTrainingConfig(
        a=args.a,
        b=args.b,
        out=args.out or Path("runs") / f"{args.a.name}-{args.b.name}",
        minutes=args.minutes,  # a resumed run keeps its number of steps
        # Common changes:
        #   more than ten minutes per speaker: width=256, from_scratch=True
        #   result too similar to the source: raise adversarial_b, lower cycle_a
        #   words get lost: raise identity_b
        adversarial_b=2.5,
        cycle_a=2.0,
        identity_b=10.0,
    )
    trained = train_voice(config, resume=args.resume)
    for path in trained.voices:
        print(f"{path}  (voxcycle convert recording.wav --to {path})")


if __name__ == "__main__":
    with errors_in_one_sentence():
        main()
