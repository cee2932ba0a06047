"""Which recording becomes which file: outputs named, clashes reported before work starts."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from voxcycle.audio.ffmpeg import needs_ffmpeg
from voxcycle.audio.folder import AUDIO_SUFFIXES, count_files
from voxcycle.audio.io import AudioError, FileSource
from voxcycle.audio.output import AudioFormat, choose_format
from voxcycle.audio.part import WHOLE, Part, PartSource
from voxcycle.conversion.lists.reader import is_list, open_list
from voxcycle.conversion.lists.utterance import Utterance, UtteranceList
from voxcycle.conversion.storage import ask_all, fetch, find_recordings, is_remote, to_path

IsOurs = Callable[[str, str, Path], bool]  # id, voice, output: whether an earlier call made it


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One conversion to be made, or an error in one sentence.

    Messages call the source by `name`, or by its path. An input that cannot be read has no target.
    `id` names the utterance among the inputs, `voice` is the name of its new voice, and `seconds`
    is the length that the header of the recording promises.
    """

    source: Path
    target: Path | None = None
    audio_format: AudioFormat | None = None
    error: str | None = None
    name: str | None = None
    id: str = ""
    voice: str = ""
    part: Part = WHOLE
    seconds: float = 0.0

    @property
    def label(self) -> str:
        """What messages call it."""
        return self.name or (str(self.source) if self.part == WHOLE else self.id)


class Role(NamedTuple):
    """An utterance, the name of its new voice, and the folder of its output, None for its own."""

    utterance: Utterance
    voice: str
    folder: Path | None


class Inputs(NamedTuple):
    """The utterances of all inputs, and the lists that some of them came from."""

    utterances: list[Utterance]
    lists: list[UtteranceList]


def find_target(paths: Sequence[Path], output: str | None, name: str | None = None) -> Path | None:
    """Return the file that `voxcycle convert ... -o OUTPUT` names; None where it names a folder.

    An input that has a `name` is no file of the user's. ValueError where the name of one file is
    given for several inputs.
    """
    out = None if output is None else to_path(output)
    if output is None or out is None or out.is_dir():
        return None
    is_one = len(paths) == 1 and not paths[0].is_dir() and not is_list(paths[0])
    if out.suffix.lower() in AUDIO_SUFFIXES and not is_one:
        raise ValueError(f"{out}: the name of one file, but several inputs; name a folder with -o")
    return out if is_one and (out.suffix or name) and not output.endswith("/") else None


def plan_files(
    paths: Sequence[Path],
    voice_name: str,
    *,
    out_dir: Path | None = None,
    requested_format: str | None = None,
    overwrite: bool = False,
) -> list[PlannedFile]:
    """Plan the conversion of files, folders (recursively) and lists to one voice.

    With `out_dir`, outputs have their input's name and lie as the inputs do in their folders; else
    `src.wav` becomes `src.heart.wav` beside it. Errors are those of `find_inputs`.
    """
    roles = [Role(own, voice_name, out_dir) for own in find_inputs(paths, out_dir).utterances]
    return plan_roles(roles, requested_format=requested_format, overwrite=overwrite)


def plan_roles(
    roles: Iterable[Role],
    *,
    requested_format: str | None = None,
    overwrite: bool = False,
    is_ours: IsOurs | None = None,
) -> list[PlannedFile]:
    """Plan the conversion of utterances, each to its voice and folder.

    Where two inputs would have one output (`a.mp3` and `a.wav`), the one that changes its format
    keeps its extension in the name (`a.mp3.wav`). Outputs that exist are replaced with `overwrite`,
    or where they are ours.
    """
    plan, opened, roles = [], None, list(roles)
    remote = ask_all(_try_to_open, (role.utterance.source for role in roles))
    for utterance, voice, folder in roles:
        source = utterance.source
        planned = PlannedFile(source, id=utterance.id, voice=voice, part=utterance.part)
        try:
            if utterance.error:
                raise AudioError(utterance.error)
            if opened is None or opened.path != source:  # once for all parts of a recording
                opened = remote.get(source) or _open(source)
            audio_format = choose_format(opened, requested_format)
            whole = utterance.part == WHOLE
            part = opened if whole else PartSource(opened, utterance.part)
        except AudioError as error:
            plan.append(replace(planned, error=str(error)))
            continue
        voiced = f".{to_file_name(voice)}" if folder is None else ""
        base = utterance.output if folder else Path(source.stem)
        target = (folder or source.parent) / f"{base}{voiced}.{audio_format.extension}"
        seconds = part.n_declared / part.sample_rate
        planned = replace(planned, target=target, audio_format=audio_format, seconds=seconds)
        plan.append(planned)
    return _refuse_clashes(_keep_apart(plan), overwrite, is_ours)


def plan_file(
    source: Path,
    target: Path,
    voice_name: str = "",
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
    planned = PlannedFile(source, target, audio_format, name=name, voice=voice_name)
    return _refuse_clashes([planned], overwrite, None)[0]


def to_file_name(voice_name: str) -> str:
    """Return a voice's name as a part of a file name: no separators, no spaces."""
    return re.sub(r"[^\w-]+", "_", voice_name) or "voice"


def find_inputs(paths: Sequence[Path], out_dir: Path | None) -> Inputs:
    """Return the utterances of files, folders and lists, each file once.

    Raises:
        AudioError: a folder or list is given without `out_dir`, or as `out_dir` itself; or a list
            is damaged.
    """
    found: dict[object, Utterance] = {}
    lists = []
    for path in paths:
        if is_list(path):
            if out_dir is None:
                raise AudioError(f"{path}: this is a list; name a folder for the outputs with -o")
            own = open_list(path)
            lists.append(own)
            found |= {(path, utterance.id): utterance for utterance in own.utterances}
        elif path.is_dir():
            for utterance in _search(path, out_dir):
                found.setdefault(utterance.source.absolute(), utterance)
        else:
            output = Path(path.stem)
            found.setdefault(path.absolute(), Utterance(path.name, path, output))
    return Inputs(list(found.values()), lists)


def _search(folder: Path, out_dir: Path | None) -> list[Utterance]:
    """Return the recordings of a folder; their folders stand for their speakers."""
    if out_dir is None:
        raise AudioError(f"{folder}: this is a folder; name one for the outputs with -o")
    own, out = folder.resolve(), out_dir.resolve()
    if own == out:
        raise AudioError(
            f"{folder}: the outputs would lie among the inputs; name another folder with -o"
        )
    found = []
    listed = find_recordings(folder)
    for file in listed.files:
        if not (out.is_relative_to(own) and file.resolve().is_relative_to(out)):
            relative = file.relative_to(folder)
            speaker = str((folder / relative).parent)
            output = relative.parent / file.stem
            found.append(Utterance(relative.as_posix(), file, output, speaker=speaker))
    is_empty = not found and not listed.problems
    for place, why in [(folder, "no audio files in this folder")] * is_empty + listed.problems:
        found.append(Utterance(str(place), place, Path(place.name), error=f"{place}: {why}"))
    return found


def describe_passed_over(paths: Sequence[Path]) -> list[str]:
    """Return a sentence on each folder that holds files which are no audio."""
    others = [(path, find_recordings(path).others) for path in paths if path.is_dir()]
    return [
        f"{path}: {count_files(files)} passed over: no audio" for path, files in others if files
    ]


def _open(source: Path) -> FileSource:
    if is_remote(source) and needs_ffmpeg(source):
        return FileSource(fetch(source, (0, 0)).path, str(source))
    return FileSource(source)


def _try_to_open(source: Path) -> FileSource | None:
    try:
        return _open(source)
    except AudioError:
        return None


def _keep_apart(plan: list[PlannedFile]) -> list[PlannedFile]:
    """Turn `a.heart.wav` from `a.mp3` into `a.mp3.heart.wav` where `a.wav` has that output too."""
    counts = Counter(planned.target for planned in plan)
    apart = []
    for planned in plan:
        source, target = planned.source, planned.target
        is_other = target is not None and source.suffix.lower() != target.suffix.lower()
        if target and counts[target] > 1 and is_other and planned.part == WHOLE:
            target = target.with_name(source.name + target.name[len(source.stem) :])
        apart.append(replace(planned, target=target))
    return apart


def _refuse_clashes(
    plan: list[PlannedFile], overwrite: bool, is_ours: IsOurs | None
) -> list[PlannedFile]:
    sources = {_resolve(planned.source) for planned in plan}
    taken: dict[str, Path] = {}
    checked = []
    for planned in plan:
        target, error = planned.target, planned.error
        if target is not None:
            real = _resolve(target)
            if real in sources:
                error = f"{target}: this is an input; choose another output"
            elif real in taken:
                error = f"{target}: {planned.source} and {taken[real]} would both be written to it"
            else:
                is_own = is_ours is not None and is_ours(planned.id, planned.voice, target)
                may_replace = overwrite or is_own
                error = error or _find_obstacle(target, may_replace)
            taken.setdefault(real, planned.source)
        checked.append(replace(planned, error=error))
    return checked


def _resolve(path: Path) -> str:
    """Return a path without links; as it is where it can be no file's name."""
    try:
        return os.path.realpath(path)
    except ValueError:
        return str(path)


def _find_obstacle(target: Path, may_replace: bool) -> str | None:
    """Return why an output cannot be written, as far as its name tells."""
    try:
        if target.exists() and not may_replace:
            return f"{target}: exists already; remove it, or allow it with --overwrite"
    except OSError as error:  # a name that is too long for the file system
        return f"{target}: {error.strerror}; choose another name with -o"
    return None
