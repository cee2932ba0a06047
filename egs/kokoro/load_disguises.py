"""Reads the pairs that `disguise.py` makes, for supervised trials."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import WARPS
from voxcycle.speech.corpus import CorpusError
from voxcycle.speech.domains import analyse
from voxcycle.speech.features import Features
from voxcycle.speech.speakers import Speaker, build_speaker


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
    """Return the disguises of each recording.

    Args:
        recordings: features of one speaker's training files.
        paths: the files, in the same order.
        folder: of that speaker; holds `<name of the file>/<other speaker>.flac`.
        spec: the mel analysis.
        console: for progress.

    Raises:
        CorpusError: a recording has no disguise, or one of another length.
    """
    files = {path: sorted((folder / path.stem).glob("*.flac")) for path in paths}
    found = [(index, file) for index, path in enumerate(paths) for file in files[path]]
    for path, own in files.items():
        if not own:
            raise CorpusError(f"{folder / path.stem}: no disguise of {path}; run disguise.py again")
    name = f"disguises of {folder.name}"
    kinds = WARPS[:1]
    features = analyse([f for _, f in found], spec, kinds=kinds, name=name, console=console)
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
