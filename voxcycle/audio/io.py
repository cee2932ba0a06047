"""Audio files: opened and checked, read in blocks, written whole or not at all."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from voxcycle.files import replacing

MIN_SAMPLE_RATE = 8_000
MAX_SAMPLE_RATE = 384_000
MAX_CHANNELS = 1024  # libsndfile's limit
BLOCK_VALUES = 1 << 18  # samples times channels that are in memory at once
READABLE_SUFFIXES = frozenset(
    ".wav .wave .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .snd .caf .w64 .rf64".split()
)
# Written formats by extension: libsndfile's name and the subtype where the input's does not fit.
FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "aiff": ("AIFF", "PCM_16"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
# Rates in Hz that a compression takes: some, or any up to the highest.
OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
MAX_VORBIS_RATE = 192_000
WRITTEN_SAMPLES = 8192  # at a time: longer blocks of Vorbis overflow small stacks
KEPT_SUBTYPES = frozenset({"PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"})
STREAMED_LENGTH = 0x7FFFF000  # what a wav's header says where its writer did not know the length
_SFC_SET_ADD_PEAK_CHUNK = 0x1050  # sndfile.h; soundfile has no name for it


class AudioError(ValueError):
    """Audio that cannot be read, used or written; one sentence names the file and the remedy."""


def list_audio(folder: Path, recursive: bool = True) -> list[Path]:
    """Return the recordings in a folder and those below it, sorted; nothing that is hidden.

    Linked folders are followed, each once.
    """
    found, seen = [], set()
    for name, folders, files in os.walk(folder, followlinks=True):
        here = Path(name)
        real = here.resolve()
        folders[:] = [] if real in seen or not recursive else folders
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        if real not in seen:
            found += [here / file for file in files if not file.startswith(".")]
        seen.add(real)
    return sorted(p for p in found if p.suffix.lower() in READABLE_SUFFIXES and p.is_file())


class AudioSource(Protocol):
    """Audio that can be read from its beginning any number of times.

    Messages call it by its name; `n_declared` is the number of samples that the header promises.
    """

    name: str
    sample_rate: int
    n_channels: int
    n_declared: int

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield consecutive blocks (T, n_channels)."""
        ...


class ArraySource:
    """A waveform (T,) or (T, channels) in memory as an `AudioSource`."""

    def __init__(self, waveform: NDArray[np.float32], sample_rate: int) -> None:
        samples = np.asarray(waveform)
        samples = samples[:, None] if samples.ndim == 1 else samples
        is_audio = samples.ndim == 2 and 1 <= samples.shape[1] <= MAX_CHANNELS
        if not is_audio or not np.issubdtype(samples.dtype, np.floating):
            raise AudioError(
                f"the waveform has shape {np.shape(waveform)} and type {samples.dtype}: "
                "floating-point samples in [-1, 1] of shape (T,) or (T, channels) are needed"
            )
        self.name = "the waveform"
        self.sample_rate = check_sample_rate(sample_rate, self.name)
        self.n_declared, self.n_channels = samples.shape
        self._samples = samples

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield consecutive blocks (T, n_channels)."""
        size = max(1, BLOCK_VALUES // self.n_channels)
        for start in range(0, len(self._samples), size):
            yield self._samples[start : start + size].astype(np.float32)


class FileSource:
    """An audio file as an `AudioSource`; AudioError where it is missing, a folder or no audio."""

    def __init__(self, path: Path, name: str | None = None) -> None:
        self.path = path
        self.name = name or str(path)
        self._require_content()
        with self._open() as opened:
            self.sample_rate = check_sample_rate(opened.samplerate, self.name)
            self.n_channels = opened.channels
            self.format, self.subtype = opened.format, opened.subtype
            self.n_declared = _declared_length(opened)

    def blocks(self, start: int = 0) -> Iterator[NDArray[np.float32]]:
        """Yield blocks (T, n_channels) from a sample on; AudioError where decoding fails."""
        size = max(1, BLOCK_VALUES // self.n_channels)
        position = start
        with self._open() as opened:
            while True:
                try:
                    if position == start:
                        opened.seek(start)
                    block = opened.read(size, dtype="float32", always_2d=True)
                except (soundfile.SoundFileError, RuntimeError) as error:
                    raise AudioError(
                        f"{self.name}: the file is damaged or cut short about "
                        f"{position / self.sample_rate:.1f} s into it ({_reason(error)}); fetch it "
                        "again, or save the part that plays as a new file"
                    ) from error
                if not len(block):
                    return
                position += len(block)
                yield block

    def _require_content(self) -> None:
        try:
            if self.path.is_dir():
                raise AudioError(f"{self.name}: expected an audio file, found a folder")
            if not self.path.is_file() and self.path.exists():
                raise AudioError(f"{self.name}: not a regular file; save the audio to one first")
            with self.path.open("rb") as file:
                if not file.read(1):
                    raise AudioError(f"{self.name}: the file is empty (0 bytes); save it again")
        except FileNotFoundError:
            raise AudioError(f"{self.name}: no such file; check the path") from None
        except OSError as error:
            raise AudioError(f"{self.name}: cannot be read: {error.strerror}") from error

    def _open(self) -> soundfile.SoundFile:
        try:
            local = isinstance(self.path, Path)  # what is not opens itself
            return soundfile.SoundFile(self.path if local else self.path.open("rb"))
        except UnicodeEncodeError as error:  # soundfile passes on valid names only
            raise AudioError(
                f"{self.name}: the file's name is not valid text; rename it"
            ) from error
        except (soundfile.SoundFileError, RuntimeError, TypeError) as error:
            raise AudioError(
                f"{self.name}: not an audio file that can be read, or its header is damaged or cut "
                "short; save it as wav, flac, ogg or mp3 first"
            ) from error


class AudioFormat(NamedTuple):
    """How a file is written: extension without the dot, libsndfile's format and subtype."""

    extension: str
    format: str
    subtype: str

    def fit_rate(self, sample_rate: int) -> int:
        """Return the lowest rate of the format that keeps all of a sample rate, or its highest."""
        if self.subtype == "VORBIS":
            return min(sample_rate, MAX_VORBIS_RATE)
        rates = {"OPUS": OPUS_RATES, "MPEG_LAYER_III": MP3_RATES}.get(self.subtype)
        if rates is None:
            return sample_rate
        return next((rate for rate in rates if rate >= sample_rate), rates[-1])


def choose_format(source: FileSource, requested: str | None = None) -> AudioFormat:
    """Return the requested format, else the input's; the input's subtype where it fits.

    Without a request, inputs that would lose by another compression (mp3) and rare ones (au, caf)
    become wav. Raises AudioError where the requested format is unknown.
    """
    if requested is None:
        own = {"WAV": "wav", "WAVEX": "wav", "FLAC": "flac", "AIFF": "aiff", "OGG": "ogg"}
        extension = "opus" if source.subtype == "OPUS" else own.get(source.format, "wav")
    else:
        extension = requested.lower().removeprefix(".")
        extension = {"aif": "aiff", "wave": "wav", "oga": "ogg"}.get(extension, extension)
    if extension not in FORMATS:
        raise AudioError(
            f"{requested}: not a format that can be written; choose one of {', '.join(FORMATS)}"
        )
    container, subtype = FORMATS[extension]
    if source.subtype in KEPT_SUBTYPES and soundfile.check_format(container, source.subtype):
        subtype = source.subtype
    elif extension == "flac" and source.subtype in KEPT_SUBTYPES:
        subtype = "PCM_24"  # the most that flac holds
    return AudioFormat(extension, container, subtype)


def write_audio(
    target: Path,
    blocks: Iterable[NDArray[np.float32]],
    sample_rate: int,
    audio_format: AudioFormat,
    tags: Mapping[str, str],
) -> None:
    """Write mono blocks (T,) in [-1, 1] to a file that appears under its name only when complete.

    An existing file is replaced. Tags are `title`, `comment`, `software`: RIFF INFO or Vorbis
    comments. AudioError where the file cannot be written; nothing is left behind.
    """
    try:
        with replacing(target) as partial:
            partial.open("wb").close()  # a plain OSError says more than libsndfile's
            with soundfile.SoundFile(
                partial, "w", sample_rate, 1, audio_format.subtype, format=audio_format.format
            ) as opened:
                # The PEAK chunk of float files holds the time of day: equal audio, unequal files.
                command = (opened._file, _SFC_SET_ADD_PEAK_CHUNK, soundfile._ffi.NULL, 0)
                soundfile._snd.sf_command(*command)
                for key, value in tags.items():
                    setattr(opened, key, value)
                for block in blocks:
                    for start in range(0, len(block), WRITTEN_SAMPLES):
                        opened.write(block[start : start + WRITTEN_SAMPLES])
    except (soundfile.SoundFileError, OSError) as error:
        raise AudioError(
            f"{target}: cannot be written as {audio_format.format} {audio_format.subtype} at "
            f"{sample_rate} Hz ({_reason(error)}); check that the folder may be written to, that "
            "the disk has room, and that the format takes this sample rate"
        ) from error


def check_target(target: Path) -> None:
    """Raise AudioError where a file cannot be written, before the work for it is done."""
    if target.is_dir():
        raise AudioError(f"{target}: a folder, where the name of a file is needed")
    if target.exists() and not target.is_file():
        raise AudioError(f"{target}: not a regular file; name another, or use - for a pipe")
    if not target.parent.is_dir():
        raise AudioError(f"{target}: its folder does not exist; make it first")
    if target.exists() and not os.access(target, os.W_OK):
        raise AudioError(f"{target}: the file is read-only; choose another name")
    if not os.access(target.parent, os.W_OK):
        raise AudioError(f"{target}: its folder is read-only; choose another one")


def check_sample_rate(sample_rate: int, name: str) -> int:
    """Return the rate; AudioError, led by `name`, where it is out of range."""
    is_number = isinstance(sample_rate, int | float) and sample_rate == sample_rate // 1
    if not is_number or not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise AudioError(
            f"{name}: a sample rate of {sample_rate} Hz; whole numbers from {MIN_SAMPLE_RATE} to "
            f"{MAX_SAMPLE_RATE} Hz are possible"
        )
    return int(sample_rate)


def _declared_length(opened: soundfile.SoundFile) -> int:
    """Return the samples that the header promises; libsndfile logs a mismatch."""
    found = re.search(r"^data : (\d+) \(should be (\d+)\)", opened.extra_info, re.MULTILINE)
    if found and opened.frames:
        declared, present = int(found[1]), int(found[2])
        if present < declared < STREAMED_LENGTH:
            return int(declared * opened.frames / present)
    return int(opened.frames)


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or getattr(error, "error_string", None) or str(error)
    return str(text).rstrip(". ")
