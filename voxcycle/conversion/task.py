"""One recording of a batch: converted, with what a manifest keeps of it, or an error."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from voxcycle.audio.io import AudioError, FileSource
from voxcycle.audio.output import WriteError
from voxcycle.audio.part import WHOLE, PartSource
from voxcycle.conversion.manifest import Row, Status, hash_file
from voxcycle.conversion.options import Options
from voxcycle.conversion.pipeline import convert_file
from voxcycle.conversion.plan import PlannedFile
from voxcycle.conversion.storage import fetch, placing
from voxcycle.files import check_folder
from voxcycle.vocoders import Vocoder
from voxcycle.vocoders.registry import load_vocoder
from voxcycle.voices.voice import Voice

Progress = Callable[[PlannedFile, float], None]


class Task(NamedTuple):
    """A planned file, its place in the plan, and its first row in the manifest, if there is one."""

    place: int
    planned: PlannedFile
    row: Row | None


@dataclass(frozen=True)
class FileResult:
    """The outcome of one input: a file and notes for its owner, or an error in one sentence.

    Attributes:
        source: the recording.
        output: what was made of it, or None.
        error: why there is none, or None.
        notes: what its owner should know.
        seconds: time spent by stage.
        is_kept: whether an earlier call had made the output, or had failed.
        row: the outcome as a manifest keeps it, for outputs in a folder.
    """

    source: Path
    output: Path | None = None
    error: str | None = None
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    is_kept: bool = False
    row: Row | None = None


@dataclass(frozen=True)
class Converter:
    """Converts the recordings of a batch, in any process; never fails, but for a lack of memory.

    Attributes:
        voices: files of the voices by name.
        vocoder: a name for `load_vocoder`.
        options: of all conversions.
    """

    voices: Mapping[str, Path]
    vocoder: str
    options: Options

    def __call__(self, task: Task, report: Progress | None = None) -> FileResult:
        """Convert a recording."""
        planned, row = task.planned, task.row
        is_stopped = False  # by what is not the recording's fault
        try:
            result = self._convert(planned, row, report)
        except AudioError as error:
            is_stopped = isinstance(error, WriteError)
            result = FileResult(planned.source, error=str(error))
        except OSError as error:
            is_stopped = True
            problem = f"{planned.target}: {error.strerror or error}"
            result = FileResult(planned.source, error=problem)
        except Exception as error:  # a bug that one file reveals must not stop the others
            problem = (
                f"{planned.label}: could not be converted "
                f"({type(error).__name__}: {error}); please report this with the file"
            )
            result = FileResult(planned.source, error=problem)
        if row is None or result.row is not None:
            return result
        is_stopped |= state_of(planned.source) != (row.source_bytes, row.source_ns)
        status: Status = "stopped" if is_stopped else "failed"
        return replace(result, row=replace(row, status=status, message=result.error or ""))

    def _convert(
        self, planned: PlannedFile, row: Row | None, report: Progress | None
    ) -> FileResult:
        if planned.error or planned.target is None or planned.audio_format is None:
            return FileResult(planned.source, error=planned.error)
        voice, vocoder = load_pair(self.voices[planned.voice], self.vocoder)
        before = state_of(planned.source)
        local = fetch(planned.source, before)
        file = FileSource(local.path, planned.name or str(planned.source))
        source = file if planned.part == WHOLE else PartSource(file, planned.part)
        with placing(planned.target) as target:
            check_folder(target.parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            made = convert_file(
                source,
                target,
                audio_format=planned.audio_format,
                voice=voice,
                vocoder=vocoder,
                options=self.options,
                progress=functools.partial(report, planned) if report else None,
            )
            notes, target_path = made.notes, planned.target
            done = FileResult(planned.source, target_path, notes=notes, seconds=made.seconds)
            if row is None:
                return done
            sha256 = _hash_source(local.path, *before)
            if state_of(planned.source) != before:
                target.unlink(missing_ok=True)
                raise AudioError(
                    f"{planned.source}: changed while it was converted; convert it again"
                )
            told = replace(
                row,
                status="ok",
                message="; ".join(notes),
                seconds=round(made.n_samples / made.sample_rate, 6),
                source_bytes=before[0],
                source_ns=before[1],
                source_sha256=sha256,
                output_bytes=target.stat().st_size,
                output_sha256=hash_file(target),
                n_samples=made.n_samples,
                sample_rate=made.sample_rate,
            )
        return replace(done, row=told)


def state_of(path: Path) -> tuple[int, int]:
    """Return size, and time of the last change in nanoseconds; zeros where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


@functools.lru_cache(maxsize=1)  # parts of one recording follow one another
def _hash_source(path: Path, n_bytes: int, changed_ns: int) -> str:
    return hash_file(path)


def load_pair(voice_path: Path, vocoder: str) -> tuple[Voice, Vocoder]:
    """Load a voice and the vocoder for it; once per process, unless the voice's file changes."""
    voice = _load_voice(voice_path, state_of(voice_path)[1])
    return voice, _load_vocoder(vocoder, voice)


@functools.lru_cache(maxsize=4)
def _load_voice(path: Path, changed_ns: int) -> Voice:
    return Voice.load(path)


_vocoders: dict[tuple[str, str], Vocoder] = {}


def _load_vocoder(name: str, voice: Voice) -> Vocoder:
    key = name, repr(voice.spec)
    if key not in _vocoders:
        _vocoders.clear()
        _vocoders[key] = load_vocoder(name, voice.spec)
    return _vocoders[key]
