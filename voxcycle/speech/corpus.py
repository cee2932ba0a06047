"""From a folder of recordings to usable clips and their split by file."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voxcycle.audio.folder import Found, find_audio, list_audio
from voxcycle.speech.own_outputs import IS_CONVERSION, is_conversion, is_prepared, is_run

if TYPE_CHECKING:
    from rich.console import Console

MIN_CLIP_S = 0.8
MIN_TOTAL_S = 60.0
MIN_FILES = 5  # for a split into training, validation and held-out files
CLIPPED_SHARE = 0.01  # of the samples at full scale
SILENT_PEAK = 1e-3


class CorpusError(ValueError):
    """A folder of recordings that cannot be trained on; the message names files and reasons."""


@dataclass(frozen=True)
class Clip:
    """A recording: its file and its duration in seconds."""

    path: Path
    duration_s: float


@dataclass(frozen=True)
class Corpus:
    """One speaker's recordings.

    Attributes:
        name: the folder's name.
        clips: usable recordings, sorted by path.
        rejected: file or folder, and the reason, of what was skipped.
        notes: file and note of recordings that are used, but not as their headers say.
    """

    name: str
    clips: list[Clip]
    rejected: list[tuple[Path, str]]
    notes: list[tuple[Path, str]] = field(default_factory=list)

    @property
    def duration_s(self) -> float:
        """Seconds of usable recordings."""
        return sum(clip.duration_s for clip in self.clips)


@dataclass(frozen=True)
class Split:
    """Files for training, for validation during training, and held out from both."""

    train: list[Path]
    valid: list[Path]
    held_out: list[Path]


def list_recordings(folder: Path) -> Found:
    """Find the recordings below a folder, without runs and prepared clips that lie inside.

    The folder itself may be one of prepared clips, or a single recording.

    Raises:
        CorpusError: there is no such folder, it is a run's, or no recording is in it.
    """
    if folder.is_file():
        return Found([folder], [], [])
    if not folder.is_dir():
        raise CorpusError(f"{folder}: no such folder; name a folder of recordings of one speaker")
    if is_run(folder):
        raise CorpusError(f"{folder}: the folder of a training; name a folder of recordings")
    made = {folder: False}

    def is_made(inner: Path) -> bool:
        if inner not in made:
            made[inner] = is_made(inner.parent) or is_run(inner) or is_prepared(inner)
        return made[inner]

    found = find_audio(folder)
    recordings = [path for path in found.files if not is_made(path.parent)]
    if found.files and not recordings:
        raise CorpusError(
            f"{folder}: only runs and prepared clips are in it; name a folder of prepared clips "
            "itself, or one of recordings"
        )
    if not recordings and not found.problems:
        raise CorpusError(
            f"{folder}: no recordings found; put wav, flac, ogg or mp3 files of one speaker there"
        )
    return found._replace(files=recordings)


def check_apart(folders: Sequence[Path]) -> None:
    """Raise CorpusError where folders of different speakers share a recording, links resolved."""
    owners: dict[Path, Path] = {}
    for folder in folders:
        for path in list_audio(folder):
            owner = owners.setdefault(path.resolve(), folder)
            if owner is not folder:
                raise CorpusError(
                    f"{folder}: shares recordings with {owner}, such as {path.name}; give every "
                    "speaker a folder outside the others"
                )


def scan_folder(folder: Path, min_total_s: float = MIN_TOTAL_S) -> Corpus:
    """Screen every recording that `list_recordings` finds.

    Raises:
        CorpusError: as `list_recordings`, or there is less than `min_total_s` of usable speech; the
            message names every rejected file with its reason.
    """
    found = list_recordings(folder)
    corpus = Corpus(folder.absolute().name, [], list(found.problems))
    for path in found.files:
        reason, duration_s, notes = _screen(path)
        if reason:
            corpus.rejected.append((path, reason))
        else:
            corpus.clips.append(Clip(path, duration_s))
            corpus.notes.extend((path, note) for note in notes)
    if corpus.duration_s < min_total_s:
        raise CorpusError(
            f"{folder}: {corpus.duration_s:.0f} s of usable speech in {len(corpus.clips)} files, "
            f"at least {min_total_s:.0f} s are needed (five minutes are a good start)"
            + list_rejected([corpus])
        )
    return corpus


def list_rejected(corpora: Sequence[Corpus]) -> str:
    """Return the end of a message: a line for each file that was skipped, with its reason."""
    lines = [f"\n  {path}: {reason}" for corpus in corpora for path, reason in corpus.rejected]
    return "; skipped:" + "".join(lines) if lines else ""


def scan_folders(folders: Sequence[Path], min_total_s: float, console: "Console") -> list[Corpus]:
    """Return the recordings of the folders; those with too little are skipped and reported.

    Raises:
        CorpusError: folders share recordings, one is missing, or none has enough.
    """
    check_apart(folders)
    corpora = []
    for folder in folders:
        try:
            corpora.append(scan_folder(folder, min_total_s))
        except CorpusError as error:
            if len(folders) == 1 or not folder.is_dir():
                raise
            console.print(f"skipped: {error}", style="yellow", soft_wrap=True)
    if not corpora:
        raise CorpusError("no folder has enough usable speech: name folders of recordings")
    return corpora


def _screen(path: Path) -> tuple[str, float, list[str]]:
    """Return (why the file is unusable or "", duration in seconds, notes)."""
    from voxcycle.audio.io import AudioError, FileSource

    if is_conversion(path):
        return IS_CONVERSION, 0.0, []
    try:
        source = FileSource(path)
        blocks = list(source.blocks())
    except AudioError as error:
        return str(error).removeprefix(f"{path}: "), 0.0, []
    samples = np.concatenate(blocks or [np.zeros((0, source.n_channels), np.float32)])
    duration_s = len(samples) / source.sample_rate
    reason = ""
    if duration_s < MIN_CLIP_S:
        reason = f"too short: {duration_s:.2f} s, at least {MIN_CLIP_S} s are needed"
    elif not np.isfinite(samples).all():
        reason = "contains NaN or infinite samples"
    elif (peak := np.abs(samples).max()) < SILENT_PEAK:
        reason = "silent"
    elif peak >= 0.99 and (np.abs(samples) >= 0.999 * peak).mean() > CLIPPED_SHARE:
        reason = "clipped: record again at a lower level"
    return reason, duration_s, source.notes


def split_files(corpus: Corpus, seed: int) -> Split:
    """Split by file: 5 % (at least 1, at most 20) each for validation and held out, the rest train.

    Raises:
        CorpusError: there are fewer than 5 files.
    """
    if len(corpus.clips) < MIN_FILES:
        raise CorpusError(
            f"{corpus.name}: {len(corpus.clips)} usable recordings are too few for training, "
            "validation and held-out files: cut them up with `voxcycle prepare`"
        )
    paths = [clip.path.absolute() for clip in corpus.clips]
    random.Random(seed).shuffle(paths)
    n_side = min(20, max(1, round(0.05 * len(paths))))
    return Split(
        train=sorted(paths[2 * n_side :]),
        valid=sorted(paths[:n_side]),
        held_out=sorted(paths[n_side : 2 * n_side]),
    )
