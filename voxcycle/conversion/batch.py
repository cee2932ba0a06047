"""Conversion of many recordings: one result each, in one process or several, to be resumed."""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from voxcycle.audio.denoise import Denoise
from voxcycle.audio.io import AudioError
from voxcycle.conversion.casting import cast_voices, find_voices
from voxcycle.conversion.lists.reader import is_list
from voxcycle.conversion.lists.utterance import UtteranceList, Written
from voxcycle.conversion.manifest import (
    MANIFEST,
    Manifest,
    Row,
    hash_file,
    hash_options,
    open_manifest,
)
from voxcycle.conversion.options import Background, Options, Pitch
from voxcycle.conversion.plan import PlannedFile, Role, find_inputs, plan_file, plan_roles
from voxcycle.conversion.storage import ask_all, is_remote, to_path
from voxcycle.conversion.task import Converter, FileResult, Progress, Task, load_pair, state_of
from voxcycle.conversion.work import Jobs, Work
from voxcycle.conversion.workers import Lost, run_tasks
from voxcycle.files import remove_partials
from voxcycle.vocoders.registry import DEFAULT_VOCODER


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
    jobs: Jobs = 1,
    work: Work | None = None,
    progress: Progress | None = None,
) -> list[FileResult]:
    """Convert files, folders (recursively) and lists; a failure never stops the others.

    Where many recordings go to a folder, `manifest.jsonl` in it tells what was done: the same call
    again converts what is left. Returns one result per recording, in their order.

    Args:
        paths: inputs.
        to: a voice's name or file, several names with commas, or "random:SEED"; see `find_voices`.
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
        jobs: see `Work`.
        work: how the batch is worked off, in place of `jobs`.
        progress: called with a planned file and the share of it that is done.

    Raises:
        ValueError: a voice, vocoder, option, list or folder is wrong, which concerns all files.
    """
    listed = [paths] if isinstance(paths, str | Path) else paths
    options = Options(
        pitch=pitch,
        output_rate=output_rate,
        use_file_stats=use_file_stats,
        second_pass=second_pass,
        background=background,
        denoise=denoise,
    )
    batch = Batch(
        [to_path(path) for path in listed],
        to,
        None if out_dir is None else to_path(out_dir),
        options=options,
        vocoder=vocoder,
        requested_format=format,
        overwrite=overwrite,
        work=work or Work(jobs=jobs),
    )
    return [result for _, result in sorted(batch.run(progress), key=lambda item: item[0])]


class Batch:
    """Inputs that are planned, and then converted by `run`; arguments as in `convert_files`.

    With `target`, one input becomes that file, and messages call it by `name`.

    Attributes:
        voices: files of the voices by name.
        cards: of the voices.
        is_resumable: whether a manifest is kept: several recordings go to a folder.
        roles: who gets which voice.
        plan: made by `run`, or by `look` without touching the folder of outputs.
        written_lists: the lists of outputs that `run` wrote at its end.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        to: str | Path,
        out_dir: Path | None,
        *,
        options: Options,
        vocoder: str = DEFAULT_VOCODER,
        requested_format: str | None = None,
        overwrite: bool = False,
        target: Path | None = None,
        name: str | None = None,
        work: Work | None = None,
    ) -> None:
        self.out_dir, self.work = out_dir, work or Work()
        self.options, self.vocoder = options, vocoder
        self._vocoder_hash = hash_file(Path(vocoder)) if Path(vocoder).is_file() else vocoder
        self.requested_format, self.overwrite = requested_format, overwrite
        self.target, self.name = target, name
        self.voices = find_voices(to)
        self.cards = [load_pair(path, vocoder)[0].card for path in self.voices.values()]
        if len(self.voices) > 1 and out_dir is None:
            raise AudioError("several voices: name a folder for the outputs with -o")
        is_one = len(paths) == 1 and not paths[0].is_dir() and not is_list(paths[0])
        self.is_resumable = out_dir is not None and not is_one
        if self.work.cluster is not None and not self.is_resumable:
            raise AudioError("cluster: many recordings are needed, and a folder for them with -o")
        self.paths = paths
        self.lists: list[UtteranceList] = []
        self.roles: list[Role] = []
        if target is None:
            utterances, self.lists = find_inputs(paths, out_dir)
            self.roles = cast_voices(utterances, to, list(self.voices), out_dir)
        self.plan: list[PlannedFile] = []
        self.written_lists: list[Path] = []

    def look(self) -> tuple[list[FileResult], list[PlannedFile]]:
        """Plan; returns what is settled and what is left, and leaves the folder as it is."""
        folder = self.out_dir
        has_folder = self.is_resumable and folder is not None and folder.is_dir()
        manifest = Manifest(folder, folder / MANIFEST) if folder and has_folder else None
        self._make_plan(manifest)
        settled, left = self._settle(manifest)
        return [result for _, result in settled], [task.planned for task in left]

    def run(self, progress: Progress | None = None) -> Iterator[tuple[int, FileResult]]:
        """Convert what is left; yields index and result of each recording as soon as it is done.

        Raises:
            AudioError: another process uses the folder, it cannot be written, or too many fail.
        """
        if self.out_dir is None or not self.is_resumable:
            self._make_plan(None)
            yield from self._run(None, progress)
            return
        with open_manifest(self.out_dir, self.work.shard) as manifest:
            self._make_plan(manifest)
            yield from self._run(manifest, progress)
            self._write_lists(manifest)

    def _make_plan(self, manifest: Manifest | None) -> None:
        if self.target is not None:
            planned = plan_file(
                self.paths[0],
                self.target,
                next(iter(self.voices)),
                requested_format=self.requested_format,
                overwrite=self.overwrite,
                name=self.name,
            )
            self.plan = [planned]
            return
        mine = [role for role in self.roles if self.work.has(role.utterance.id)]
        self.plan = plan_roles(
            mine,
            requested_format=self.requested_format,
            overwrite=self.overwrite,
            is_ours=manifest.is_ours if manifest else None,
        )

    def _settle(self, manifest: Manifest | None) -> tuple[list[tuple[int, FileResult]], list[Task]]:
        """Return what is settled without work, and the tasks that are left."""
        settled, left = [], []
        hashes = {name: hash_file(path) for name, path in self.voices.items()} if manifest else {}
        states = ask_all(state_of, (planned.source for planned in self.plan)) if manifest else {}
        for index, planned in enumerate(self.plan):
            if planned.error is not None or planned.target is None or manifest is None:
                if planned.error is not None:
                    settled.append((index, FileResult(planned.source, error=planned.error)))
                else:
                    left.append(Task(index, planned, None))
                continue
            state = states.get(planned.source) or state_of(planned.source)
            row = self._begin_row(planned, state, hashes[planned.voice], manifest)
            if manifest.is_done(row, self.work.verifies):
                kept = FileResult(planned.source, planned.target, is_kept=True)
                settled.append((index, kept))
                continue
            failed = manifest.has_failed(row)
            if failed and not self.work.retry_failed:
                kept = FileResult(planned.source, error=failed, is_kept=True)
                settled.append((index, kept))
                continue
            left.append(Task(index, planned, row))
        return settled, left

    def _begin_row(
        self, planned: PlannedFile, state: tuple[int, int], voice_sha256: str, manifest: Manifest
    ) -> Row:
        assert planned.target is not None
        return Row(
            planned.id,
            planned.voice,
            source=str(planned.source.absolute()),
            output=planned.target.relative_to(manifest.folder).as_posix(),
            offset=planned.part.start_s,
            options=hash_options(
                self.options,
                voice=voice_sha256,
                vocoder=self._vocoder_hash,
                format=planned.audio_format,
                part=planned.part,
            ),
            attempt=manifest.count_attempts(planned.id, planned.voice) + 1,
            source_bytes=state[0],
            source_ns=state[1],
        )

    def _run(
        self, manifest: Manifest | None, progress: Progress | None
    ) -> Iterator[tuple[int, FileResult]]:
        report = progress or (lambda planned, share: None)
        settled, left = self._settle(manifest)
        made = self._convert(left, manifest, report)
        n_failed = 0
        for index, result in itertools.chain(settled, made):
            if manifest is not None and result.row is not None:
                _append(manifest, result.row)
            report(self.plan[index], 1.0)
            yield index, result
            n_failed += result.error is not None and not result.is_kept
            if self.work.max_failures is not None and n_failed >= self.work.max_failures:
                raise AudioError(
                    f"stopped at {n_failed} failed recording{'s' * (n_failed > 1)}, as "
                    "--max-failures asks; mend these or allow more, and the same command goes on"
                )

    def _convert(
        self, left: list[Task], manifest: Manifest | None, report: Progress
    ) -> Iterator[tuple[int, FileResult]]:
        """Convert what is left; what a crash of a process takes along is tried once more alone."""
        convert = Converter(self.voices, self.vocoder, self.options)

        def begin(*tasks: Task) -> None:
            rows = [task.row for task in tasks if task.row is not None]
            if manifest is not None and rows:
                manifest.clean(rows)
                _append(manifest, *rows)

        if self.work.cluster is not None and manifest is not None:
            from voxcycle.conversion.cluster import run_on_cluster

            done = run_on_cluster(
                convert,
                left,
                address=self.work.cluster,
                jobs=self.work.jobs,
                manifest=manifest.path,
                begin=begin,
            )
            try:
                for task, outcome in done:
                    yield task.place, _settle_lost(task, outcome)
            finally:  # where actors died
                targets = [task.planned.target for task in left if task.planned.target]
                remove_partials(path for path in targets if not is_remote(path))
            return
        at_once = self.out_dir is not None and is_remote(self.out_dir)  # where a call is a file
        if at_once:
            begin(*left)
        begin_one: Callable[[Task], None] = (lambda task: None) if at_once else begin
        n_workers, timeout_s = self.work.count_processes(len(left)), self.work.timeout_s
        if n_workers == 1 and timeout_s is None:
            for task in left:
                begin_one(task)
                yield task.place, convert(task, report)
            return
        lost: list[Task] = []
        run = functools.partial(
            run_tasks, convert, device=self.work.device, timeout_s=timeout_s, begin=begin_one
        )
        for task, outcome in run(left, n_workers=n_workers):
            if isinstance(outcome, Lost) and not outcome.is_late:
                lost.append(task)
            else:
                yield task.place, _settle_lost(task, outcome)
        for task, outcome in run(lost, n_workers=1):
            yield task.place, _settle_lost(task, outcome)

    def _write_lists(self, manifest: Manifest) -> None:
        """Write the lists again, with the outputs that are there by now."""
        made: dict[Path, dict[str, Written]] = {}
        if self.lists and self.work.shard:  # others have added rows meanwhile
            manifest = Manifest(manifest.folder, manifest.path)
        for utterance, voice, folder in self.roles if self.lists else ():
            row = manifest.rows.get((utterance.id, voice))
            if folder is not None and row is not None and row.status == "ok":
                path = (manifest.folder / row.output).absolute()
                written = Written(path, row.n_samples, row.sample_rate)
                made.setdefault(folder, {})[utterance.id] = written
        for folder, by_id in made.items():
            for own in self.lists:
                with _naming(folder / own.path.name):
                    self.written_lists.append(own.write(folder, by_id))


def _append(manifest: Manifest, *rows: Row) -> None:
    with _naming(manifest.path):
        manifest.append(*rows)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say in one sentence where a file cannot be written."""
    try:
        yield
    except OSError as error:
        raise AudioError(
            f"{path}: {error.strerror or error}; when that is mended, the same command goes on"
        ) from error


def _settle_lost(task: Task, outcome: FileResult | Lost) -> FileResult:
    """Return a result, or the error of a task that was lost."""
    if isinstance(outcome, FileResult):
        return outcome
    error = f"{task.planned.label}: {outcome.reason}"
    row = replace(task.row, status="failed", message=error) if task.row else None
    return FileResult(task.planned.source, error=error, row=row)
