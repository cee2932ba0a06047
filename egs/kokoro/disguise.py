"""Let Kokoro-82M read training sentences again in other timbres: supervised pairs.

    python egs/kokoro/disguise.py CORPUS SPEAKER... [--each 4]

Writes CORPUS/disguises/<speaker>/<nnn>/<other>.flac for wavs/<speaker>/train/<nnn>.flac: the same
words at the same times and pitch, `--each` of the pool's timbres per sentence. Resumable.
`load_disguises.py` reads them.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from speakers import SPLIT
from synthesize import Utterance, read_all

SEED = 7


def plan_disguises(corpus: Path, speaker: str, n_each: int) -> list[Utterance]:
    """List the sentences in other timbres, one of each sentence before the next."""
    paths = sorted((corpus / "wavs" / speaker / "train").glob("*.flac"))
    if not paths:
        raise SystemExit(f"{corpus}: no training sentences of {speaker}; run synthesize.py first")
    texts = [path.with_suffix(".txt").read_text(encoding="utf-8").strip() for path in paths]
    timbres = [name for name in SPLIT["pool"].speakers if name != speaker]
    orders = [np.random.default_rng([SEED, i]).permutation(timbres) for i in range(len(paths))]
    folder = corpus / "disguises" / speaker
    return [
        Utterance(speaker, text, folder / path.stem / f"{order[k]}.flac", str(order[k]))
        for k in range(min(n_each, len(timbres)))
        for path, text, order in zip(paths, texts, orders, strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("speakers", nargs="+")
    parser.add_argument("--each", type=int, default=4, help="timbres per sentence")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    plans = [plan_disguises(args.corpus, speaker, args.each) for speaker in args.speakers]
    read_all([u for plan in plans for u in plan], args.corpus / "download", args.jobs, "Disguising")


if __name__ == "__main__":
    main()
