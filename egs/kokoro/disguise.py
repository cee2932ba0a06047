"""Let Kokoro-82M read training sentences again in other timbres: supervised pairs.

    python egs/kokoro/disguise.py CORPUS SPEAKER... [--each 4]

Writes CORPUS/disguises/<speaker>/<nnn>/<other>.flac for wavs/<speaker>/train/<nnn>.flac: the same
words at the same times and pitch, `--each` of the pool's timbres per sentence. Resumable.
`load_disguises` reads them for supervised trials.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from rich.console import Console
from speakers import SPLIT

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import WARPS
from voxcycle.speech.corpus import CorpusError
from voxcycle.speech.domains import analyse
from voxcycle.speech.features import Features
from voxcycle.speech.speakers import Speaker, build_speaker

if TYPE_CHECKING:
    from synthesize import Utterance

SEED = 7


def plan_disguises(corpus: Path, speaker: str, n_each: int) -> "list[Utterance]":
    """List the sentences in other timbres, one of each sentence before the next."""
    from synthesize import Utterance

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


class Disguise(NamedTuple):
    """A recording's words, at its times, by another speaker."""

    speaker: Speaker
    recording: Features


def load_disguises(
    recordings: Sequence[Features],
    paths: Sequence[Path],
    folder: Path,
    *,
    spec: MelSpec,
    console: Console,
) -> list[list[Disguise]]:
    """Return the disguises of each recording of a speaker, with progress on a console.

    `recordings` are the features of the training files `paths`, in the same order; `folder` holds
    `<name of the file>/<other speaker>.flac`. CorpusError where a recording has no disguise, or one
    of another length.
    """
    files = {path: sorted((folder / path.stem).glob("*.flac")) for path in paths}
    found = [(index, file) for index, path in enumerate(paths) for file in files[path]]
    for path, own in files.items():
        if not own:
            raise CorpusError(f"{folder / path.stem}: no disguise of {path}; run disguise.py again")
    features = analyse(
        [file for _, file in found],
        spec,
        kinds=WARPS[:1],
        name=f"disguises of {folder.name}",
        console=console,
    )
    by_speaker: dict[str, list[Features]] = {}
    for (index, file), recording in zip(found, features, strict=True):
        if len(recording.f0_hz) != len(recordings[index].f0_hz):
            raise CorpusError(f"{file}: not as long as {paths[index]}; make it again")
        by_speaker.setdefault(file.stem, []).append(recording)
    others = {name: build_speaker(name, own, spec) for name, own in by_speaker.items()}
    disguises: list[list[Disguise]] = [[] for _ in paths]
    for (index, file), recording in zip(found, features, strict=True):
        disguises[index].append(Disguise(others[file.stem], recording))
    return disguises


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("speakers", nargs="+")
    parser.add_argument("--each", type=int, default=4, help="timbres per sentence")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    from synthesize import read_all

    plans = [plan_disguises(args.corpus, speaker, args.each) for speaker in args.speakers]
    read_all([u for plan in plans for u in plan], args.corpus / "download", args.jobs, "Disguising")


if __name__ == "__main__":
    main()
