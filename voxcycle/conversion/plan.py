"""Which file becomes which: inputs found, outputs named, clashes reported before work starts."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from voxcycle.audio.folder import AUDIO_SUFFIXES, count_files, find_audio
from voxcycle.audio.io import AudioError, FileSource
from voxcycle.audio.output import AudioFormat, choose_format


@dataclass(frozen=True)
class PlannedFile:
    """One conversion to be made, or an error in one sentence.

    Messages call the source by `name`, or by its path. An input that cannot be read has no target.
    """

    source: Path
    target: Path | None = None
    audio_format: AudioFormat | None = None
    error: str | None = None
    name: str | None = None


def plan_outputs(
    paths: Sequence[Path],
    output: str | None,
    voice_name: str,
    *,
    requested_format: str | None = None,
    overwrite: bool = False,
    name: str | None = None,
) -> list[PlannedFile]:
    """Plan what `voxcycle convert ... -o OUTPUT` makes of files and folders.

    `output` is the name of a file (it has a suffix), a folder, or None: outputs beside their
    inputs. Messages call a single input by `name`, or by its path. ValueError where the name of one
    file is given for several inputs; AudioError as in `plan_files`.
    """
    out = Path(output) if output is not None else None
    is_one = len(paths) == 1 and not paths[0].is_dir()
    if output is not None and out is not None and not out.is_dir():
        if out.suffix.lower() in AUDIO_SUFFIXES and not is_one:
            raise ValueError(
                f"{out}: the name of one file, but several inputs; name a folder with -o"
            )
        if is_one and (out.suffix or name) and not output.endswith("/"):
            planned = plan_file(
                paths[0], out, requested_format=requested_format, overwrite=overwrite, name=name
            )
            return [planned]
    return plan_files(
        paths, voice_name, out_dir=out, requested_format=requested_format, overwrite=overwrite
    )


def plan_files(
    paths: Sequence[Path],
    voice_name: str,
    *,
    out_dir: Path | None = None,
    requested_format: str | None = None,
    overwrite: bool = False,
) -> list[PlannedFile]:
    """Plan the conversion of files and, recursively, of folders.

    With `out_dir`, outputs have their input's name and lie as the inputs do in their folders; else
    `src.wav` becomes `src.heart.wav` beside it. Where two inputs would have one output (`a.mp3` and
    `a.wav`), the one that changes its format keeps its extension in the name (`a.mp3.wav`).
    What cannot be read of a folder is an error of its own. AudioError where a folder is given
    without `out_dir`, or as `out_dir` itself.
    """
    plan = []
    for source, relative, problem in _find_sources(paths, out_dir):
        if problem:
            plan.append(PlannedFile(source, error=f"{source}: {problem}"))
            continue
        try:
            audio_format = choose_format(FileSource(source), requested_format)
        except AudioError as error:
            plan.append(PlannedFile(source, error=str(error)))
            continue
        folder = source.parent if out_dir is None else out_dir / relative.parent
        voiced = f".{to_file_name(voice_name)}" if out_dir is None else ""
        target = folder / f"{source.stem}{voiced}.{audio_format.extension}"
        plan.append(PlannedFile(source, target, audio_format))
    return _refuse_clashes(_keep_apart(plan), overwrite)


def plan_file(
    source: Path,
    target: Path,
    *,
    requested_format: str | None = None,
    overwrite: bool = False,
    name: str | None = None,
) -> PlannedFile:
    """Plan the conversion of one file to a file whose extension, if it has one, says the format."""
    try:
        suffix = target.suffix.removeprefix(".")
        opened = FileSource(source, name)
        audio_format = choose_format(opened, requested_format or suffix or None)
        if suffix and choose_format(opened, suffix).extension != audio_format.extension:
            raise AudioError(
                f"{target}: the name and the format {requested_format} disagree; give one"
            )
    except AudioError as error:
        return PlannedFile(source, error=str(error), name=name)
    planned = PlannedFile(source, target, audio_format, name=name)
    return _refuse_clashes([planned], overwrite)[0]


def to_file_name(voice_name: str) -> str:
    """Return a voice's name as a part of a file name: no separators, no spaces."""
    return re.sub(r"[^\w-]+", "_", voice_name) or "voice"


def describe_passed_over(paths: Sequence[Path]) -> list[str]:
    """Return a sentence on each folder that holds files which are no audio."""
    others = [(path, find_audio(path).others) for path in paths if path.is_dir()]
    return [
        f"{path}: {count_files(files)} passed over: no audio" for path, files in others if files
    ]


def _find_sources(
    paths: Sequence[Path], out_dir: Path | None
) -> list[tuple[Path, Path, str | None]]:
    """Return files, each once, with their paths relative to the folder that was given.

    What fails of a folder comes with the reason.
    """
    found: dict[Path, tuple[Path, Path, str | None]] = {}
    for path in paths:
        if not path.is_dir():
            found.setdefault(path.absolute(), (path, Path(path.name), None))
            continue
        if out_dir is None:
            raise AudioError(f"{path}: this is a folder; name one for the outputs with -o")
        own, out = path.resolve(), out_dir.resolve()
        if own == out:
            raise AudioError(
                f"{path}: the outputs would lie among the inputs; name another folder with -o"
            )
        listed = find_audio(path)
        inside = [
            file
            for file in listed.files
            if not (out.is_relative_to(own) and file.resolve().is_relative_to(out))
        ]
        for file in inside:
            found.setdefault(file.absolute(), (file, file.relative_to(path), None))
        is_empty = not inside and not listed.problems
        for place, why in [(path, "no audio files in this folder")] * is_empty + listed.problems:
            found.setdefault(place.absolute(), (place, place.relative_to(path), why))
    return list(found.values())


def _keep_apart(plan: list[PlannedFile]) -> list[PlannedFile]:
    """Turn `a.heart.wav` from `a.mp3` into `a.mp3.heart.wav` where `a.wav` has that output too."""
    counts = Counter(planned.target for planned in plan)
    apart = []
    for planned in plan:
        source, target = planned.source, planned.target
        if target and counts[target] > 1 and source.suffix.lower() != target.suffix.lower():
            target = target.with_name(source.name + target.name[len(source.stem) :])
        apart.append(replace(planned, target=target))
    return apart


def _refuse_clashes(plan: list[PlannedFile], overwrite: bool) -> list[PlannedFile]:
    sources = {os.path.realpath(planned.source) for planned in plan}
    taken: dict[str, Path] = {}
    checked = []
    for planned in plan:
        target, error = planned.target, planned.error
        if target is not None:
            real = os.path.realpath(target)
            if real in sources:
                error = f"{target}: this is an input; choose another output"
            elif real in taken:
                error = f"{target}: {planned.source} and {taken[real]} would both be written to it"
            else:
                error = error or _find_obstacle(target, overwrite)
            taken.setdefault(real, planned.source)
        checked.append(replace(planned, error=error))
    return checked


def _find_obstacle(target: Path, overwrite: bool) -> str | None:
    """Return why an output cannot be written, as far as its name tells."""
    try:
        if target.exists() and not overwrite:
            return f"{target}: exists already; remove it, or allow it with --overwrite"
    except OSError as error:  # a name that is too long for the file system
        return f"{target}: {error.strerror}; choose another name with -o"
    return None
