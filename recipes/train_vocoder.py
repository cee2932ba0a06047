"""Train a source-filter vocoder from folders of recordings.

    python recipes/train_vocoder.py runs/vocoder recordings/anna recordings/ben --steps 20000
    voxcycle convert talk.wav --to heart --vocoder runs/vocoder/vocoder.safetensors

Any speakers, any sentences, no transcripts. The shipped one was trained on 65 minutes of clean
speech of seventeen speakers and on conversions of it by the four shipped voices. `--voice heart`,
once for each voice, adds conversions of the recordings, rendered by HiFi-GAN: a vocoder trained on
a generator's mels renders them better. `sources=[recordings/eve,recordings/joe]` names other people
to convert: of these it learns no sound, so that they may be band-limited. Settings follow as
key=value, such as `discriminator_width=0 period_width=0` (the spectral losses alone: much faster,
less natural).

`--pack FILE` takes recordings, conversions and settings from a file of recipes/pack_training.py;
given settings replace those of the pack.
"""

import argparse
from pathlib import Path
from typing import Any

from voxcycle.console import errors_in_one_sentence
from voxcycle.speech.packs import VOCODER_TRAINING, read_settings_of
from voxcycle.speech.train_vocoder import VocoderTrainingConfig, train_vocoder
from voxcycle.training.config import load_config, parse_overrides


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="folder of the run")
    parser.add_argument("folders", nargs="*", help="recordings, one folder per speaker; key=value")
    parser.add_argument("--voice", action="append", default=[], help="name or file, see above")
    parser.add_argument("--pack", type=Path, help="of pack_training.py, in place of folders")
    parser.add_argument("--steps", type=int, help="in all; default: 20000, or the run's own")
    parser.add_argument("--resume", action="store_true", help="continue the run in OUT")
    args = parser.parse_intermixed_args()
    given: dict[str, Any] = {"out": args.out}
    if args.pack:
        given["pack"] = args.pack
        if not args.resume:  # a resumed run has its own settings
            given |= read_settings_of(args.pack, VOCODER_TRAINING)
    if args.steps is not None:
        given["steps"] = args.steps
    folders = [Path(word) for word in args.folders if "=" not in word]
    if folders or not (args.pack or args.resume):  # which have their own
        given["folders"] = folders
    if args.voice:
        given["voices"] = args.voice
    settings = parse_overrides([word for word in args.folders if "=" in word])
    config = load_config(VocoderTrainingConfig, given | settings)
    trained = train_vocoder(config, resume=args.resume)
    print(f"{trained.path}  ({trained.n_steps} steps)")


if __name__ == "__main__":
    with errors_in_one_sentence():
        main()
