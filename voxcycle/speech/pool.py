"""The speakers of a pretraining, from one folder each."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import WARPS, Perturbation
from voxcycle.speech.corpus import CorpusError, Split, check_apart, scan_folder
from voxcycle.speech.domains import MIN_POOL_SPEAKER_S, load_speaker
from voxcycle.speech.speakers import SHORT_SPEAKER_S, Speaker


def load_speakers(
    folders: Sequence[Path],
    spec: MelSpec,
    console: Console,
    kinds: Sequence[Perturbation] = WARPS,
    hears: bool = True,
) -> list[Speaker]:
    """Load the speakers of the folders; those with too little speech are skipped and reported.

    Those with less than 30 s have warps only. `kinds` are the perturbations of the others. With
    `hears` they have content.

    Raises:
        CorpusError: fewer than two remain, folders share recordings, or one is missing.
    """
    check_apart(folders)
    speakers = []
    for folder in folders:
        try:
            corpus = scan_folder(folder, MIN_POOL_SPEAKER_S)
            own = WARPS if corpus.duration_s < SHORT_SPEAKER_S else kinds
            split = Split([clip.path for clip in corpus.clips], [], [])
            speaker, _ = load_speaker(
                folder.name, split, spec=spec, kinds=own, console=console, hears=hears
            )
            speakers.append(speaker)
        except CorpusError as error:
            if len(folders) <= 2 or not folder.is_dir():
                raise
            console.print(f"skipped: {error}", style="yellow", soft_wrap=True)
    if len(speakers) < 2:
        raise CorpusError("fewer than two of the speakers have enough usable speech")
    return speakers
