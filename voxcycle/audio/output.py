"""Audio files that are written: their format, and the writing, whole or not at all."""

import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from voxcycle.audio import ffmpeg
from voxcycle.audio.io import AudioError, FileSource, describe_error
from voxcycle.files import replacing

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
AAC_RATES = (*MP3_RATES, 64_000, 88_200, 96_000)
RATES = {"OPUS": OPUS_RATES, "MPEG_LAYER_III": MP3_RATES, "AAC": AAC_RATES}
MAX_VORBIS_RATE = 192_000
WRITTEN_SAMPLES = 8192  # at a time: longer blocks of Vorbis overflow small stacks
KEPT_SUBTYPES = frozenset({"PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"})
_SFC_SET_ADD_PEAK_CHUNK = 0x1050  # sndfile.h; soundfile has no name for it


class WriteError(AudioError):
    """Audio that cannot be written here or now, whatever the recording holds."""


class AudioFormat(NamedTuple):
    """How a file is written: extension without the dot, libsndfile's format and subtype.

    What ffmpeg writes has the format FFMPEG; the picture of the file `picture` goes along.
    """

    extension: str
    format: str
    subtype: str
    picture: Path | None = None

    def fit_rate(self, sample_rate: int) -> int:
        """Return the lowest rate of the format that keeps all of a sample rate, or its highest."""
        if self.subtype == "VORBIS":
            return min(sample_rate, MAX_VORBIS_RATE)
        rates = RATES.get(self.subtype)
        if rates is None:
            return sample_rate
        return next((rate for rate in rates if rate >= sample_rate), rates[-1])


def choose_format(source: FileSource, requested: str | None = None) -> AudioFormat:
    """Return the requested format, else the input's; the input's subtype where it fits.

    Without a request, inputs that would lose by another compression (mp3) and rare ones (au, caf)
    become wav. Raises AudioError where the requested format is unknown, needs ffmpeg where that is
    missing, or does not take the input's picture.
    """
    if requested is None:
        own = {"WAV": "wav", "WAVEX": "wav", "FLAC": "flac", "AIFF": "aiff", "OGG": "ogg"}
        extension = "opus" if source.subtype == "OPUS" else own.get(source.format, "wav")
    else:
        extension = requested.lower().removeprefix(".")
        extension = {"aif": "aiff", "wave": "wav", "oga": "ogg"}.get(extension, extension)
    if extension in ffmpeg.FORMATS:
        return _choose_film(source, extension)
    if extension not in FORMATS:
        raise AudioError(
            f"{requested}: not a format that can be written; choose one of {', '.join(FORMATS)}, "
            f"or with ffmpeg {', '.join(ffmpeg.FORMATS)}"
        )
    container, subtype = FORMATS[extension]
    if source.subtype in KEPT_SUBTYPES and soundfile.check_format(container, source.subtype):
        subtype = source.subtype
    elif extension == "flac" and source.subtype in KEPT_SUBTYPES:
        subtype = "PCM_24"  # the most that flac holds
    return AudioFormat(extension, container, subtype)


def _choose_film(source: FileSource, extension: str) -> AudioFormat:
    if ffmpeg.find_ffmpeg() is None:
        raise AudioError(
            f"{extension}: this format needs ffmpeg, which is not installed; install it, or choose "
            f"one of {', '.join(FORMATS)}"
        )
    picture = source.path if ffmpeg.needs_ffmpeg(source.path) else None
    if picture:
        try:
            ffmpeg.check_picture(picture, extension)
        except ffmpeg.FfmpegError as error:
            raise AudioError(
                f"{source.name}: its picture does not fit into {extension} ({error}); choose the "
                "extension that the input has, or mkv"
            ) from error
    return AudioFormat(extension, "FFMPEG", "OPUS" if extension == "webm" else "AAC", picture)


def write_audio(
    target: Path,
    blocks: Iterable[NDArray[np.float32]],
    sample_rate: int,
    audio_format: AudioFormat,
    tags: Mapping[str, str],
) -> None:
    """Write mono blocks (T,) in [-1, 1] to a file that appears under its name only when complete.

    An existing file is replaced. Tags are `title`, `comment`, `software`: RIFF INFO, Vorbis
    comments or a film's. WriteError where the file cannot be written; nothing is left behind.
    """
    try:
        with replacing(target) as partial:
            with _open_written(partial, sample_rate, audio_format, tags) as write:
                for block in blocks:
                    for start in range(0, len(block), WRITTEN_SAMPLES):
                        write(block[start : start + WRITTEN_SAMPLES])
    except (soundfile.SoundFileError, OSError, ffmpeg.FfmpegError) as error:
        raise WriteError(
            f"{target}: cannot be written as {audio_format.format} {audio_format.subtype} at "
            f"{sample_rate} Hz ({describe_error(error)}); check that the folder may be written to, "
            "that the disk has room, and that the format takes this sample rate"
        ) from error


@contextmanager
def _open_written(
    path: Path, sample_rate: int, audio_format: AudioFormat, tags: Mapping[str, str]
) -> Iterator[Callable[[NDArray[np.float32]], None]]:
    """Give what writes samples (T,)."""
    if audio_format.format == "FFMPEG":
        with ffmpeg.open_encoder(
            path, audio_format.extension, sample_rate, audio_format.picture, tags=tags
        ) as encode:
            yield encode
        return
    with _WatchedFile(path, "wb") as file:
        try:
            with soundfile.SoundFile(
                file, "w", sample_rate, 1, audio_format.subtype, format=audio_format.format
            ) as opened:
                # The PEAK chunk of float files holds the time of day: equal audio, unequal files.
                command = (opened._file, _SFC_SET_ADD_PEAK_CHUNK, soundfile._ffi.NULL, 0)
                soundfile._snd.sf_command(*command)
                for key, value in tags.items():
                    setattr(opened, key, value)
                yield opened.write
        finally:
            if file.error is not None:
                raise file.error


class _WatchedFile(io.FileIO):
    """A file that keeps the error of a write: libsndfile overlooks some and describes none."""

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all, or return 0."""
        left = memoryview(data)
        try:
            while left:
                left = left[super().write(left) :]
        except OSError as error:
            self.error = self.error or error
            return 0
        return len(data)


def check_target(target: Path) -> None:
    """Raise WriteError where a file cannot be written, before the work for it is done."""
    if target.is_dir():
        raise WriteError(f"{target}: a folder, where the name of a file is needed")
    if target.exists() and not target.is_file():
        raise WriteError(f"{target}: not a regular file; name another, or use - for a pipe")
    if not target.parent.is_dir():
        raise WriteError(f"{target}: its folder does not exist; make it first")
    if target.exists() and not os.access(target, os.W_OK):
        raise WriteError(f"{target}: the file is read-only; choose another name")
    if not os.access(target.parent, os.W_OK):
        raise WriteError(f"{target}: its folder is read-only; choose another one")
