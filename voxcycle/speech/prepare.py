"""From recordings as they come to clips to train on, with a report of what was kept and why.

Each recording is made mono and cut at its pauses (`audio/segment.py`). Unusable clips are dropped
(`screening_quality.py` decides), the others levelled, compared with one another (`screening.py`)
and written, unless they are outliers.
"""

import importlib.util
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxcycle.audio.io import AudioError, FileSource
from voxcycle.audio.level import ANALYSIS_LEVEL_DB
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.mixdown import plan_mixdown
from voxcycle.audio.output import AudioFormat, write_audio
from voxcycle.audio.resample import resample_blocks, resampled_length
from voxcycle.audio.segment import find_slices
from voxcycle.files import locking, remove_partials, replacing
from voxcycle.speech.corpus import CorpusError, list_recordings
from voxcycle.speech.own_outputs import IS_CONVERSION, REPORT, is_conversion
from voxcycle.speech.screening import OutlierScore, compare_clips
from voxcycle.speech.screening_quality import ClipQuality, clipped_shares, measure_quality
from voxcycle.speech.two_speakers import MIN_GROUP, MIN_GROUP_SHARE

if TYPE_CHECKING:
    from rich.console import Console

FLAC = AudioFormat("flac", "FLAC", "PCM_16")
FORMER, LOCK = "former", ".lock"  # in a report: clips that are being replaced by its own
MAX_PEAK = 0.98
MIN_OUTLIER_SCORE = 3.1  # deviations; measured by egs/fillets_nl/planted_outliers.py
OUTLIER_PROBLEM = "unlike the others"
MAX_OUTLIER_SHARE = 0.2  # above, the folder is mixed and nothing is dropped
N_NAMED = 3  # recordings in a sentence
Compare = Callable[[Sequence[Path]], Sequence[OutlierScore]]


@dataclass(frozen=True)
class Piece:
    """A clip of the recording `source`, written or dropped.

    Attributes:
        file: the written clip, relative to the output folder; "" where it was dropped.
        problem: why it was dropped, or "".
        outlier_score: distance from the other clips, in deviations; 0 where none were compared.
        is_other: belongs to the smaller of two groups of voices.
    """

    source: str
    start_s: float
    quality: ClipQuality
    file: str = ""
    problem: str = ""
    outlier_score: float = 0.0
    is_other: bool = False


@dataclass(frozen=True)
class Prepared:
    """Result of preparing a folder of recordings.

    Attributes:
        folder: of the recordings.
        minutes: of recordings that could be read, pauses included.
        pieces: in the order of the recordings.
        unreadable: recording or folder, and why it was left out.
        notes: recording and note of those that are read, but not as their headers say.
    """

    folder: str
    minutes: float
    pieces: list[Piece]
    unreadable: list[tuple[str, str]]
    notes: list[tuple[str, str]] = field(default_factory=list)

    @property
    def kept(self) -> list[Piece]:
        """The pieces that were written."""
        return [piece for piece in self.pieces if piece.file]

    @property
    def outliers(self) -> list[Piece]:
        """The pieces that are unlike the others, kept or not."""
        return [piece for piece in self.pieces if piece.outlier_score >= MIN_OUTLIER_SCORE]

    def describe_others(self) -> str:
        """Return one sentence where the kept clips sound like several people, else ""."""
        others = [piece for piece in self.kept if piece.is_other]
        if len(others) < max(MIN_GROUP, MIN_GROUP_SHARE * len(self.kept)):
            return ""
        sources = list(dict.fromkeys(piece.source for piece in others))
        more = ", ..." * (len(sources) > N_NAMED)
        return (
            f"{self.folder}: about {len(others)} of {len(self.kept)} clips sound like another "
            f"person ({', '.join(sources[:N_NAMED])}{more}); give each speaker a folder"
        )

    def minutes_kept(self) -> float:
        """Return the duration of the written pieces."""
        return sum(piece.quality.duration_s for piece in self.kept) / 60

    def minutes_dropped(self) -> dict[str, float]:
        """Return minutes by reason, the most first."""
        minutes: dict[str, float] = {}
        for piece in self.pieces:
            if piece.problem:
                former = minutes.get(piece.problem, 0.0)
                minutes[piece.problem] = former + piece.quality.duration_s / 60
        return dict(sorted(minutes.items(), key=lambda item: -item[1]))


def prepare(folder: Path, clips: Path, min_total_s: float, console: "Console") -> Prepared:
    """Cut and screen a folder as `voxcycle prepare` does, and print the result.

    Raises:
        CorpusError: as `prepare_folder`, or there is too little usable speech.
    """
    from rich.text import Text

    with console.status(Text(f"cutting and screening {folder}")):  # not markup
        prepared = prepare_folder(folder, clips, overwrite=True, compare=compare_clips)
    skipped = [f"{reason} {60 * m:.0f} s" for reason, m in prepared.minutes_dropped().items()]
    skipped += [f"{name}: {reason}" for name, reason in prepared.unreadable]
    for name, note in prepared.notes:
        console.print(Text(f"note: {name}: {note}"), soft_wrap=True)
    kept = f"{folder}: {60 * prepared.minutes_kept():.0f} s of {60 * prepared.minutes:.0f} s kept"
    summary = f"{kept} in {len(prepared.kept)} clip{'s' * (len(prepared.kept) != 1)}"
    summary += f" ({'; '.join(skipped)})" * bool(skipped)
    if 60 * prepared.minutes_kept() < min_total_s:
        raise CorpusError(f"{summary}: at least {min_total_s:.0f} s are needed; add recordings")
    console.print(summary, soft_wrap=True)
    if several := prepared.describe_others():
        console.print(several, style="yellow", soft_wrap=True)
    return prepared


def prepare_folder(
    folder: Path,
    out: Path,
    *,
    overwrite: bool = False,
    n_jobs: int | None = None,
    advance: Callable[[int, int], None] = lambda done, total: None,
    compare: Compare | None = None,
    keeps_outliers: bool = False,
) -> Prepared:
    """Cut all recordings below a folder into clips, written as FLAC at 22,050 Hz.

    The clips are made in a folder beside `out`, and moved there when all are whole.

    Args:
        folder: recordings of one speaker, or a single one.
        out: receives the clips, laid out as the recordings, and `report.json`.
        overwrite: replace what an earlier call has written there.
        n_jobs: processes; None takes one per core. Without joblib (extra `[train]`) it is one.
        advance: called with the numbers of recordings done and in all.
        compare: compares clips with one another, as `compare_clips` does; None compares nothing.
        keeps_outliers: write clips that are unlike the others, too; above a fifth they always are.

    Raises:
        CorpusError: there is no recording, no usable clip, or `out` holds other files.
        AudioError: a clip cannot be written.
    """
    folder, out = folder.resolve(), out.resolve()
    paths, unreadable = _list_recordings(folder, out)
    root = folder if folder.is_dir() else folder.parent
    former = _list_former(out, overwrite)
    pieces: list[Piece] = []
    notes: list[tuple[str, str]] = []
    seconds = 0.0
    with working_beside(out) as made:
        results = _prepare_files(root, paths, made, n_jobs)
        advance(0, len(paths))
        for done, (path, result) in enumerate(zip(paths, results, strict=True), 1):
            advance(done, len(paths))
            if isinstance(result, str):
                unreadable.append((str(path.relative_to(root)), result))
            else:
                seconds += result[0]
                pieces += result[1]
                notes += [(str(path.relative_to(root)), note) for note in result[2]]
        if compare:
            pieces = _screen(pieces, made, compare, keeps_outliers)
        prepared = Prepared(str(folder), seconds / 60, pieces, unreadable, notes)
        if not prepared.kept:
            reasons = [f"{name}: {reason}" for name, reason in unreadable]
            reasons += [f"{piece.source}: {piece.problem}" for piece in pieces]
            raise CorpusError(f"{folder}: no clip is usable; " + "; ".join(reasons[:3]))
        # A call that is killed from here on leaves what the next one knows as ours.
        _write_report(out, asdict(prepared) | {FORMER: former})
        for name in former:
            (out / name).unlink(missing_ok=True)
        for piece in prepared.kept:
            (out / piece.file).parent.mkdir(parents=True, exist_ok=True)
            os.replace(made / piece.file, out / piece.file)
        _write_report(out, asdict(prepared))
    return prepared


@contextmanager
def working_beside(out: Path) -> Iterator[Path]:
    """Give an empty folder beside `out`, for one process at a time, that goes at the end."""
    made = out.with_name(f".{out.name}.part")
    made.mkdir(parents=True, exist_ok=True)
    try:
        with locking(made / LOCK):
            try:
                for path in made.iterdir():  # left by a killed call
                    if path.is_dir():
                        shutil.rmtree(path)
                    elif path.name != LOCK:
                        path.unlink()
                yield made
            finally:
                shutil.rmtree(made, ignore_errors=True)
    except BlockingIOError:
        raise CorpusError(
            f"{out}: another process is preparing this folder; wait for it, or name another"
        ) from None


def _write_report(out: Path, report: dict[str, Any]) -> None:
    remove_partials([out / REPORT])
    with replacing(out / REPORT) as partial:
        partial.write_text(json.dumps(report, indent=1), "utf-8")


def _prepare_files(
    folder: Path, paths: Sequence[Path], made: Path, n_jobs: int | None
) -> Iterator[str | tuple[float, list[Piece], list[str]]]:
    """Yield the results of `_prepare_file` in order."""
    if importlib.util.find_spec("joblib") is None:
        for path in paths:
            yield _prepare_file(folder, path, made)
        return
    from joblib import Parallel, delayed

    jobs = (delayed(_prepare_file)(folder, path, made) for path in paths)
    yield from Parallel(n_jobs=n_jobs or os.cpu_count(), return_as="generator")(jobs)


def _screen(pieces: list[Piece], made: Path, compare: Compare, keeps_outliers: bool) -> list[Piece]:
    """Return the pieces with their scores, outliers dropped unless they are many."""
    written = [i for i, piece in enumerate(pieces) if piece.file]
    compared = compare([made / pieces[i].file for i in written])
    scores = [score.total for score in compared]
    n_outliers = sum(score >= MIN_OUTLIER_SCORE for score in scores)
    keeps_outliers = keeps_outliers or n_outliers > MAX_OUTLIER_SHARE * len(written)
    screened = list(pieces)
    for i, score, one in zip(written, scores, compared, strict=True):
        screened[i] = replace(
            pieces[i], outlier_score=round(float(score), 2), is_other=bool(one.is_other)
        )
        if score >= MIN_OUTLIER_SCORE and not keeps_outliers:
            screened[i] = replace(screened[i], file="", problem=OUTLIER_PROBLEM)
    return screened


def _list_recordings(folder: Path, out: Path) -> tuple[list[Path], list[tuple[str, str]]]:
    """Return all recordings below a folder but those in `out`, and what cannot be read and why."""
    if folder.is_dir() and folder.is_relative_to(out):
        raise CorpusError(f"{out}: the clips would be among the recordings; name another folder")
    found = list_recordings(folder)
    paths = [path for path in found.files if not path.is_relative_to(out)]
    unreadable = [(str(path.relative_to(folder)), reason) for path, reason in found.problems]
    if not paths:
        why = "; ".join(f"{name}: {reason}" for name, reason in unreadable)
        raise CorpusError(f"{folder}: {why or 'no recordings found beside the clips'}")
    return paths, unreadable


def _list_former(out: Path, overwrite: bool) -> list[str]:
    """Return the clips of an earlier call in `out`, which this call may replace.

    Those of a call that was killed while it moved them need no `overwrite`.

    Raises:
        CorpusError: `out` holds other files, or `overwrite` is false.
    """
    if not out.exists():
        return []
    if not out.is_dir():
        raise CorpusError(f"{out}: expected a folder, found a file; name another")
    if not any(out.iterdir()):
        return []
    try:
        report = json.loads((out / REPORT).read_text("utf-8"))
        names = [*(piece["file"] for piece in report["pieces"]), *report.get(FORMER, [])]
        former = [name for name in names if name and (out / name).resolve().is_relative_to(out)]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise CorpusError(
            f"{out}: holds files that no earlier call wrote; name another folder"
        ) from None
    if not overwrite and FORMER not in report:
        raise CorpusError(f"{out}: holds clips already; name another folder, or add --overwrite")
    return former


def _prepare_file(root: Path, path: Path, out: Path) -> tuple[float, list[Piece], list[str]] | str:
    """Return seconds, pieces and notes of a recording, or why it cannot be read."""
    spec, name = MelSpec(), path.relative_to(root)
    if is_conversion(path):
        return IS_CONVERSION
    try:
        source = FileSource(path)
        mixdown = plan_mixdown(source)
        blocks = mixdown.mono_blocks(source)
        n_samples = resampled_length(mixdown.n_samples, source.sample_rate, spec.sample_rate)
        resampled = resample_blocks(blocks, source.sample_rate, spec.sample_rate, n_samples)
        waveform = np.concatenate(list(resampled))  # (T,)
        slices = find_slices(waveform, spec.sample_rate)
        scale = source.sample_rate / spec.sample_rate
        spans = [(round(scale * first), round(scale * last)) for first, last in slices]
        shares = list(clipped_shares(mixdown.channel_blocks(source), spans))
    except AudioError as error:
        return str(error).removeprefix(f"{path}: ")
    pieces: list[Piece] = []
    for (first, last), share in zip(slices, shares, strict=True):
        samples = waveform[first:last]
        quality = measure_quality(samples, spec, share)
        start_s = round(first / spec.sample_rate, 3)
        piece = Piece(str(name), start_s, quality, problem=quality.problem())
        if not piece.problem:
            target = name.with_name(f"{name.name}-{len(pieces):03}.flac")
            gain = 10 ** ((ANALYSIS_LEVEL_DB - quality.level_db) / 20)
            gain = min(gain, MAX_PEAK / float(np.abs(samples).max()))
            (out / target).parent.mkdir(parents=True, exist_ok=True)
            levelled = [samples * np.float32(gain)]
            write_audio(out / target, levelled, spec.sample_rate, audio_format=FLAC, tags={})
            piece = replace(piece, file=str(target))
        pieces.append(piece)
    return len(waveform) / spec.sample_rate, pieces, source.notes
