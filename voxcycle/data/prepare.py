"""From recordings as they come to clips to train on, with a report of what was kept and why.

Each recording is made mono, cut at its pauses (`audio/slices.py`), its clips measured
(`data/quality.py`), the useless ones dropped, the others levelled and written.
"""

import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from voxcycle.audio.io import AudioError, AudioFormat, write_audio
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.mixdown import read_mono
from voxcycle.audio.resample import resample
from voxcycle.audio.segment import ANALYSIS_LEVEL_DB
from voxcycle.audio.slices import find_slices
from voxcycle.data.corpus import AUDIO_SUFFIXES, CorpusError
from voxcycle.data.quality import ClipQuality, measure_quality
from voxcycle.files import replacing

FLAC = AudioFormat("flac", "FLAC", "PCM_16")
MAX_PEAK = 0.98
REPORT = "report.json"


@dataclass(frozen=True)
class Clip:
    """A piece of a recording.

    Attributes:
        source: the recording.
        start_s: where in it the piece begins.
        quality: as it was in the recording.
        file: what was written, relative to the output folder; "" where the piece was dropped.
        problem: why it was dropped, or "".
    """

    source: str
    start_s: float
    quality: ClipQuality
    file: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Prepared:
    """What became of a folder of recordings.

    Attributes:
        folder: of the recordings.
        minutes: of recordings that could be read, pauses included.
        clips: all pieces, in the order of the recordings.
        unreadable: recording and reason.
    """

    folder: str
    minutes: float
    clips: list[Clip]
    unreadable: list[tuple[str, str]]

    @property
    def kept(self) -> list[Clip]:
        """The clips that were written."""
        return [clip for clip in self.clips if clip.file]

    def minutes_kept(self) -> float:
        """Return how long the clips are that were written."""
        return sum(clip.quality.duration_s for clip in self.kept) / 60

    def minutes_dropped(self) -> dict[str, float]:
        """Return minutes by reason, the most first."""
        dropped: Counter[str] = Counter()
        for clip in self.clips:
            if clip.problem:
                dropped[clip.problem] += clip.quality.duration_s / 60  # type: ignore[assignment]
        return dict(dropped.most_common())

    def save(self, path: Path) -> None:
        """Write all of it as JSON."""
        with replacing(path) as partial:
            partial.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False), "utf-8")


def prepare_folder(
    folder: Path,
    out: Path,
    overwrite: bool = False,
    n_jobs: int | None = None,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Prepared:
    """Cut all recordings below a folder into clips, written as FLAC at 22,050 Hz.

    Args:
        folder: recordings of one speaker.
        out: receives the clips, laid out as the recordings, and `report.json`.
        overwrite: replace what an earlier call has written there.
        n_jobs: processes; None takes one per core.
        advance: called with the numbers of recordings done and in all.

    Raises:
        CorpusError: there is no recording, nothing of use in them, or `out` holds other files.
    """
    from joblib import Parallel, delayed

    paths = find_recordings(folder, out)
    clear(out, overwrite)
    jobs = (delayed(_prepare_file)(folder.absolute(), path, out.absolute()) for path in paths)
    results = Parallel(n_jobs=n_jobs or os.cpu_count(), return_as="generator")(jobs)
    clips, unreadable, seconds = [], [], 0.0
    advance(0, len(paths))
    for done, (path, result) in enumerate(zip(paths, results, strict=True), 1):
        advance(done, len(paths))
        if isinstance(result, str):
            unreadable.append((str(path.relative_to(folder.absolute())), result))
        else:
            seconds += result[0]
            clips += result[1]
    prepared = Prepared(str(folder), seconds / 60, clips, unreadable)
    prepared.save(out / REPORT)
    if not prepared.kept:
        reasons = [f"{name}: {reason}" for name, reason in unreadable]
        reasons += [f"{clip.source}: {clip.problem}" for clip in clips]
        raise CorpusError(f"{folder}: no clip is of use; " + "; ".join(reasons[:3]))
    return prepared


def find_recordings(folder: Path, out: Path) -> list[Path]:
    """Return all recordings below a folder, absolute; those in an output folder within it not."""
    if not folder.is_dir():
        raise CorpusError(f"{folder}: no such folder; name a folder of recordings of one speaker")
    root, own = folder.absolute(), out.absolute()
    if root.resolve().is_relative_to(own.resolve()):
        raise CorpusError(f"{out}: the clips would lie among the recordings; name another folder")
    paths = sorted(
        path
        for path in root.rglob("*")
        if path.suffix.lower() in AUDIO_SUFFIXES and not path.is_relative_to(own)
    )
    if not paths:
        raise CorpusError(f"{folder}: no recordings found; put wav, flac, ogg or mp3 files there")
    return paths


def clear(out: Path, overwrite: bool) -> None:
    """Remove the clips that an earlier report lists, if that is wanted; refuse any other file."""
    if not out.exists() or not any(out.iterdir()):
        return
    report = out / REPORT
    if not overwrite or not report.is_file():
        raise CorpusError(
            f"{out}: not empty; name another folder"
            + (", or replace its clips with --overwrite" if report.is_file() else "")
        )
    for clip in json.loads(report.read_text("utf-8"))["clips"]:
        if clip["file"]:
            (out / clip["file"]).unlink(missing_ok=True)
    report.unlink()


def _prepare_file(root: Path, path: Path, out: Path) -> tuple[float, list[Clip]] | str:
    """Return seconds and clips of a recording, or why it cannot be read."""
    spec = MelSpec()
    try:
        recorded, rate = read_mono(path)
    except AudioError as error:
        return str(error).removeprefix(f"{path}: ")
    waveform = resample(recorded, rate, spec.sample_rate)
    name = path.relative_to(root)
    clips: list[Clip] = []
    for first, last in find_slices(waveform, spec.sample_rate):
        samples = waveform[first:last]
        own = slice(first * rate // spec.sample_rate, last * rate // spec.sample_rate)
        quality = measure_quality(samples, spec, recorded[own])
        clip = Clip(str(name), round(first / spec.sample_rate, 3), quality, "", quality.problem())
        if not clip.problem:
            target = name.with_name(f"{name.name}-{len(clips):03}.flac")
            gain = 10 ** ((ANALYSIS_LEVEL_DB - quality.level_db) / 20)
            gain = min(gain, MAX_PEAK / float(np.abs(samples).max()))
            (out / target).parent.mkdir(parents=True, exist_ok=True)
            write_audio(out / target, [samples * np.float32(gain)], spec.sample_rate, FLAC, {})
            clip = replace(clip, file=str(target))
        clips.append(clip)
    return len(waveform) / spec.sample_rate, clips
