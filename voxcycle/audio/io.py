"""Audio to be read: files, opened and checked, and waveforms, in blocks."""

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from voxcycle.audio import ffmpeg
from voxcycle.audio.containers import Layout, find_sound
from voxcycle.audio.pieces import Piece
from voxcycle.audio.streams import Stream, declared_length, describe_length, open_stream

MIN_SAMPLE_RATE = 8_000
MAX_SAMPLE_RATE = 384_000
MAX_CHANNELS = 1024  # libsndfile's limit
CRASHING_SEEKS = ("OGG",)  # libsndfile crashes or hangs where it seeks in damaged files of these
BLOCK_VALUES = 1 << 18  # samples times channels that are in memory at once
CONVERTED = "Synthetic speech: converted"  # how the comment of every conversion begins


class AudioError(ValueError):
    """Audio that cannot be read, used or written; one sentence names the file and the remedy."""


class AudioSource(Protocol):
    """Audio that can be read from its beginning any number of times.

    Messages call it by its name. Once it has been read, `notes` say what its owner should know.
    """

    name: str
    sample_rate: int
    n_channels: int
    notes: list[str]

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
        self.n_channels = samples.shape[1]
        self.notes: list[str] = []
        self._samples = samples

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield consecutive blocks (T, n_channels)."""
        size = max(1, BLOCK_VALUES // self.n_channels)
        for start in range(0, len(self._samples), size):
            yield self._samples[start : start + size].astype(np.float32)


class FileSource:
    """An audio file as an `AudioSource`; AudioError where it is missing, a folder or no audio.

    `format` and `subtype` are libsndfile's, "" of files that ffmpeg reads. `n_declared` is the
    number of samples that the header promises, 0 where it does not say.
    """

    def __init__(self, path: Path, name: str | None = None) -> None:
        self.path = path
        self.name = name or str(path)
        self.format, self.subtype = "", ""
        self._require_content()
        self._layout = Layout([])
        self.n_declared = 0
        if ffmpeg.needs_ffmpeg(path):
            with self._decode() as decoder:
                self.sample_rate = check_sample_rate(decoder.sample_rate, self.name)
                self.n_channels = decoder.n_channels
        else:
            self._layout = find_sound(path)
        for pieces in self._layout.parts:
            with self._opening(pieces) as opened:
                if not self.format:
                    self.sample_rate = check_sample_rate(opened.samplerate, self.name)
                    self.n_channels = opened.channels
                    self.format, self.subtype = opened.format, opened.subtype
                self._require_same(opened)
                self.n_declared += declared_length(opened)
        self.notes: list[str] = []
        self._damage: list[str] = []

    def blocks(self, start: int = 0) -> Iterator[NDArray[np.float32]]:
        """Yield blocks (T, n_channels) from a sample on; AudioError where decoding fails."""
        size = max(1, BLOCK_VALUES // self.n_channels)
        n_read = 0
        for read, place in self._readers(start):
            n_read += place
            while True:
                try:
                    block = read(size)
                except (soundfile.SoundFileError, RuntimeError, ffmpeg.FfmpegError) as error:
                    raise AudioError(
                        f"{self.name}: the file is damaged or cut short between "
                        f"{n_read / self.sample_rate:.1f} and "
                        f"{(n_read + size) / self.sample_rate:.1f} s ({describe_error(error)}); "
                        "fetch it again, or save the part that plays as a new file"
                    ) from error
                if not len(block):
                    break
                n_read += len(block)
                if n_read > start:
                    yield block[max(0, len(block) - (n_read - start)) :]
        self.notes = describe_length(self._layout, n_read, self.n_declared, self.sample_rate)
        self.notes += self._damage

    def _readers(self, start: int) -> Iterator[tuple[Callable[[int], NDArray[np.float32]], int]]:
        """Yield what reads each part of the file, which is open meanwhile, and from which sample.

        A file of one part is read from `start` on, where that is a place to seek.
        """
        parts = self._layout.parts
        for pieces in parts:
            with self._opening(pieces) as opened:
                place = 0
                if start and len(parts) == 1 and self.format not in CRASHING_SEEKS:
                    with suppress(soundfile.SoundFileError, RuntimeError):
                        place = opened.seek(start)
                yield functools.partial(opened.read, dtype="float32", always_2d=True), place
        if not parts:
            with self._decode() as decoder:
                yield decoder.read, 0
                if decoder.complaint:
                    self._damage = [f"ffmpeg found damage ({decoder.complaint}); the rest is read"]

    def _require_content(self) -> None:
        try:
            if self.path.is_dir():
                raise AudioError(f"{self.name}: expected an audio file, found a folder")
            if not self.path.is_file() and self.path.exists():
                raise AudioError(f"{self.name}: not a regular file; save the audio to one first")
            with self.path.open("rb") as file:
                if not file.read(1):
                    raise AudioError(f"{self.name}: the file is empty (0 bytes); save it again")
        except AudioError:
            raise
        except FileNotFoundError:
            raise AudioError(f"{self.name}: no such file; check the path") from None
        except OSError as error:
            raise AudioError(f"{self.name}: cannot be read: {error.strerror}") from error
        except ValueError:  # a name with a zero byte, or with halves of characters
            raise AudioError(f"{self.name}: not the name of a file; correct it") from None

    @contextmanager
    def _opening(self, pieces: Sequence[Piece]) -> Iterator[Stream]:
        """Open a part of the file."""
        with ExitStack() as stack:
            try:
                opened = stack.enter_context(open_stream(self.path, pieces))
            except UnicodeEncodeError as error:  # soundfile passes on valid names only
                raise AudioError(
                    f"{self.name}: the file's name is not valid text; rename it"
                ) from error
            except (soundfile.SoundFileError, RuntimeError, TypeError) as error:
                raise AudioError(
                    f"{self.name}: not an audio file that can be read, or its header is damaged or "
                    "cut short; save it as wav, flac, ogg or mp3 first"
                ) from error
            yield opened

    def _decode(self) -> ffmpeg.Decoder:
        """Begin to decode the file by ffmpeg."""
        if ffmpeg.find_ffmpeg() is None:
            raise AudioError(
                f"{self.name}: this format needs ffmpeg, which is not installed; install it, or "
                "save the sound as wav, flac or mp3 first"
            )
        try:
            return ffmpeg.Decoder(self.path)
        except ffmpeg.FfmpegError as error:
            raise AudioError(
                f"{self.name}: ffmpeg cannot read its sound ({error}); save it as wav, flac or mp3"
            ) from error

    def _require_same(self, opened: Stream) -> None:
        if (opened.samplerate, opened.channels) != (self.sample_rate, self.n_channels):
            raise AudioError(
                f"{self.name}: joined from files with {self.sample_rate} Hz, {self.n_channels} "
                f"channels and with {opened.samplerate} Hz, {opened.channels} channels; save it as "
                "one wav first"
            )


def check_sample_rate(sample_rate: int, name: str) -> int:
    """Return the rate; AudioError, led by `name`, where it is out of range."""
    is_number = isinstance(sample_rate, int | float) and sample_rate == sample_rate // 1
    if not is_number or not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise AudioError(
            f"{name}: a sample rate of {sample_rate} Hz; whole numbers from {MIN_SAMPLE_RATE} to "
            f"{MAX_SAMPLE_RATE} Hz are possible"
        )
    return int(sample_rate)


def describe_error(error: BaseException) -> str:
    """Return what an error says, without its full stop."""
    text = getattr(error, "strerror", None) or getattr(error, "error_string", None) or str(error)
    return str(text).rstrip(". ")
