"""What is converted: utterances, and lists of them."""

import gzip
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from voxcycle.audio.io import AudioError
from voxcycle.audio.part import WHOLE, Part
from voxcycle.conversion.storage import placing, to_path
from voxcycle.files import replacing

# What a file's name should not hold: ends of lines, separators, halves of characters.
UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff/\\:*?\"<>|]+")


@dataclass(frozen=True, slots=True)
class Utterance:
    """A recording, or a part of one, to convert.

    Attributes:
        id: unique among the inputs.
        source: the audio file.
        output: where its output lies in the folder of outputs, without its suffix.
        part: what of it to convert.
        speaker: who speaks, or the folder in which the recording lies.
        error: why it cannot be converted, in one sentence, or empty.
    """

    id: str
    source: Path
    output: Path
    part: Part = WHOLE
    speaker: str = ""
    error: str = ""


@dataclass(frozen=True)
class Written:
    """An output as lists describe it: its file, samples and sample rate in Hz."""

    path: Path
    n_samples: int
    sample_rate: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return round(self.n_samples / self.sample_rate, 6)


class UtteranceList(ABC):
    """A list of one kind: its utterances, and how it is written for their outputs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.utterances: list[Utterance] = []

    @abstractmethod
    def write(self, folder: Path, written: Mapping[str, Written]) -> Path:
        """Write the list of the outputs, by id, to a folder; returns the file."""

    def find_recording(self, text: str) -> Path:
        """Return a path of the list: relative to the list's folder or to the present one."""
        path = to_path(text)
        beside = self.path.parent / path
        try:
            return path if path.is_absolute() or not beside.exists() else beside
        except OSError:  # a name that is too long: an error of this recording alone
            return path

    def fail(self, line: int, problem: str) -> AudioError:
        """Return the error of a line."""
        return AudioError(f"{self.path}, line {line}: {problem}; correct the list")


def output_of(name: str) -> Path:
    """Return the output's path for an id, inside the folder of outputs whatever the id holds."""
    safe = UNSAFE.sub("_", name).strip(". ")
    return Path(safe or "utterance")


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines to a file that appears only when it is whole; compressed where its name is."""
    data = "".join(f"{line}\n" for line in lines).encode("utf-8")
    with placing(path) as place, replacing(place) as partial:
        partial.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
