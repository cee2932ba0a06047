"""Conversion of many files: one result each, in one process or several."""

import functools
import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voxcycle.audio.denoise import Denoise
from voxcycle.audio.io import AudioError, FileSource
from voxcycle.conversion.options import Background, Options, Pitch
from voxcycle.conversion.pipeline import convert_file
from voxcycle.conversion.plan import PlannedFile, plan_files
from voxcycle.files import check_folder
from voxcycle.runtime.session import use_device, use_threads
from voxcycle.vocoders import Vocoder
from voxcycle.vocoders.registry import DEFAULT_VOCODER, load_vocoder
from voxcycle.voices.library import find_voice
from voxcycle.voices.voice import Voice

Progress = Callable[[PlannedFile, float], None]


@dataclass(frozen=True)
class FileResult:
    """The outcome of one input: a file and notes for its owner, or an error in one sentence.

    `seconds` is the time spent by stage.
    """

    source: Path
    output: Path | None = None
    error: str | None = None
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def convert_files(
    paths: Sequence[str | Path] | str | Path,
    to: str | Path,
    out_dir: str | Path | None = None,
    *,
    pitch: Pitch = "auto",
    vocoder: str = DEFAULT_VOCODER,
    output_rate: int | None = None,
    format: str | None = None,
    use_file_stats: bool = False,
    second_pass: float | None = None,
    background: Background = "remove",
    denoise: Denoise = "auto",
    overwrite: bool = False,
    jobs: int = 1,
    progress: Progress | None = None,
) -> list[FileResult]:
    """Convert files and folders (recursively) to a voice; a failure never stops the others.

    Returns one result per input file, in their order.

    Args:
        paths: inputs.
        to: the voice's name or file.
        out_dir: where outputs go, laid out as the inputs; beside each input where None.
        pitch: "auto", "sing", "keep" or semitones relative to auto.
        vocoder: a name for `load_vocoder`.
        output_rate: sample rate of the outputs in Hz; None keeps each input's.
        format: wav, flac, ogg, opus, aiff or mp3; None keeps each input's where sensible.
        use_file_stats: see `Options`.
        second_pass: see `Options`.
        background: see `Options`.
        denoise: see `Options`.
        overwrite: replace outputs that exist.
        jobs: processes, each of one thread; 1 works in this process with its threads.
        progress: called with a planned file and the share of it that is done.

    Raises:
        ValueError: a voice, vocoder, option or folder is wrong, which concerns all files.
    """
    listed = [paths] if isinstance(paths, str | Path) else paths
    voice_path = find_voice(to)
    options = Options(
        pitch=pitch,
        output_rate=output_rate,
        use_file_stats=use_file_stats,
        second_pass=second_pass,
        background=background,
        denoise=denoise,
    )
    voice, _ = load_pair(voice_path, vocoder)
    plan = plan_files(
        [Path(path) for path in listed],
        voice.card.name,
        out_dir=None if out_dir is None else Path(out_dir),
        requested_format=format,
        overwrite=overwrite,
    )
    made = run_plan(
        plan, voice_path=voice_path, vocoder=vocoder, options=options, jobs=jobs, progress=progress
    )
    return [result for _, result in sorted(made, key=lambda item: item[0])]


def run_plan(
    plan: Sequence[PlannedFile],
    *,
    voice_path: Path,
    vocoder: str,
    options: Options,
    jobs: int = 1,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Iterator[tuple[int, FileResult]]:
    """Make planned conversions; yields index and result of each as soon as it is done."""
    report = progress or (lambda planned, share: None)
    convert = functools.partial(
        _convert_planned, voice_path=voice_path, vocoder=vocoder, options=options
    )
    n_workers = min(jobs, sum(planned.error is None for planned in plan))
    if n_workers > 1:
        yield from _run_in_processes(
            convert, plan, n_workers=n_workers, device=device, report=report
        )
        return
    for index, planned in enumerate(plan):
        result = convert(planned, report=report)
        report(planned, 1.0)
        yield index, result


def load_pair(voice_path: Path, vocoder: str) -> tuple[Voice, Vocoder]:
    """Load a voice and the vocoder for it; once per process, unless the voice's file changes."""
    changed_ns = voice_path.stat().st_mtime_ns if voice_path.exists() else 0
    return _load_pair(voice_path, changed_ns, vocoder)


@functools.lru_cache(maxsize=1)
def _load_pair(voice_path: Path, changed_ns: int, vocoder: str) -> tuple[Voice, Vocoder]:
    voice = Voice.load(voice_path)
    return voice, load_vocoder(vocoder, voice.spec)


def _convert_planned(
    planned: PlannedFile,
    *,
    voice_path: Path,
    vocoder: str,
    options: Options,
    report: Progress | None = None,
) -> FileResult:
    problem = planned.error
    if planned.target is not None and planned.audio_format is not None and not problem:
        try:
            voice, loaded_vocoder = load_pair(voice_path, vocoder)
            check_folder(planned.target.parent)
            planned.target.parent.mkdir(parents=True, exist_ok=True)
            result = convert_file(
                FileSource(planned.source, planned.name),
                planned.target,
                audio_format=planned.audio_format,
                voice=voice,
                vocoder=loaded_vocoder,
                options=options,
                progress=functools.partial(report, planned) if report else None,
            )
            return FileResult(
                planned.source, planned.target, notes=result.notes, seconds=result.seconds
            )
        except AudioError as error:
            problem = str(error)
        except OSError as error:
            problem = f"{planned.target}: {error.strerror or error}"
        except Exception as error:  # a bug that one file reveals must not stop the others
            problem = (
                f"{planned.name or planned.source}: could not be converted "
                f"({type(error).__name__}: {error}); please report this with the file"
            )
    return FileResult(planned.source, error=problem)


def _run_in_processes(
    convert: Callable[[PlannedFile], FileResult],
    plan: Sequence[PlannedFile],
    *,
    n_workers: int,
    device: str,
    report: Progress,
) -> Iterator[tuple[int, FileResult]]:
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        n_workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_prepare_worker,
        initargs=(device,),
    )
    try:
        futures = {pool.submit(convert, planned): index for index, planned in enumerate(plan)}
        for future in as_completed(futures):
            index = futures[future]
            planned = plan[index]
            report(planned, 1.0)
            try:
                result = future.result()
            except BrokenProcessPool:
                result = FileResult(
                    planned.source,
                    error=f"{planned.source}: a worker process died before this file was done: too "
                    "little memory (try fewer jobs), or a script that uses jobs runs outside "
                    '`if __name__ == "__main__":`',
                )
            yield index, result
    except BaseException:  # Ctrl-C: the workers clean up and end before we do
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _prepare_worker(device: str) -> None:
    """Use one thread, so that results do not depend on the jobs; the parent handles Ctrl-C."""

    def leave(number: int, frame: Any) -> None:
        sys.exit(128 + number)

    use_threads(1)
    if device != "cpu":
        use_device(device)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, leave)
