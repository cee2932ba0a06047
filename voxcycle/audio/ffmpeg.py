"""Formats that libsndfile lacks, such as m4a, and the sound of films: by the program ffmpeg.

Sound goes through pipes. ffmpeg is called without a shell, opens the named file and no other, and
takes no playlist for a recording.
"""

import os
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

SUFFIXES = frozenset(
    ".m4a .m4b .m4v .mp4 .mov .3gp .aac .mkv .mka .webm .wma .wmv .avi .amr .ac3 .ape .wv".split()
)
# Written formats by extension: ffmpeg's name, its encoder, bits per second.
FORMATS = {
    "m4a": ("ipod", "aac", "128k"),
    "mp4": ("mp4", "aac", "128k"),
    "m4v": ("mp4", "aac", "128k"),
    "mov": ("mov", "aac", "128k"),
    "mkv": ("matroska", "aac", "128k"),
    "webm": ("webm", "libopus", "96k"),
}
_DEMUXERS = "mov,matroska,asf,avi,aac,amr,ac3,eac3,ape,wv,wav,mp3,flac,ogg"
_QUIET = ("-hide_banner", "-nostdin", "-v", "error")
_SAFE = ("-protocol_whitelist", "file,pipe", "-format_whitelist", _DEMUXERS)
_AU_HEADER = struct.Struct(">4s5I")  # name, place of the samples, their bytes, type, rate, channels


class FfmpegError(Exception):
    """What ffmpeg says of a failure."""


def find_ffmpeg() -> str | None:
    """Return the path of the program, or None."""
    return shutil.which("ffmpeg")


def needs_ffmpeg(path: Path) -> bool:
    """Return whether a file's extension is one that ffmpeg reads."""
    return path.suffix.lower() in SUFFIXES


class Decoder:
    """The first sound track of a file, decoded while it is read; a context manager.

    It begins with the file's first picture: silence fills gaps. `complaint` is what ffmpeg says of
    damage, once all is read. FfmpegError where nothing can be decoded, or decoding ends too early.
    """

    def __init__(self, path: Path) -> None:
        self._errors = tempfile.TemporaryFile()
        track = ("-map", "0:a:0", "-af", "aresample=async=1:first_pts=0", "-c:a", "pcm_f32be")
        command = [_program(), *_QUIET, *_SAFE, "-i", f"file:{path}", *track, "-f", "au", "pipe:1"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._errors
        )
        self.complaint = ""
        head = self._read_bytes(_AU_HEADER.size)
        if len(head) < _AU_HEADER.size:
            self._process.wait()
            reason = _first_error(self._errors, path)
            self.close()
            raise FfmpegError(reason or "there is no sound")
        _, place, _, _, self.sample_rate, self.n_channels = _AU_HEADER.unpack(head)
        self._read_bytes(place - _AU_HEADER.size)
        self._path = path

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, n_samples: int) -> NDArray[np.float32]:
        """Return the next samples (T, n_channels), fewer at the end, none behind it."""
        data = self._read_bytes(4 * self.n_channels * n_samples)
        n_read = len(data) // (4 * self.n_channels)
        if not n_read:
            self._process.wait()
            self.complaint = _first_error(self._errors, self._path)
            if self._process.returncode:
                raise FfmpegError(self.complaint)
        samples = np.frombuffer(data, ">f4", n_read * self.n_channels)
        return samples.reshape(n_read, self.n_channels).astype(np.float32)

    def close(self) -> None:
        """End the program."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._errors.close()

    def _read_bytes(self, n_bytes: int) -> bytes:
        assert self._process.stdout is not None
        return self._process.stdout.read(n_bytes)


@contextmanager
def open_encoder(
    target: Path, extension: str, sample_rate: int, picture: Path | None, tags: Mapping[str, str]
) -> Iterator[Callable[[NDArray[np.float32]], None]]:
    """Give what writes samples (T,) to a file of `FORMATS`, with the picture of another file.

    The picture is copied as it is, and so are that file's tags and chapters. FfmpegError where
    writing fails.
    """
    muxer, codec, bit_rate = FORMATS[extension]
    command = [_program(), *_QUIET, "-y", "-f", "f32le", "-ar", str(sample_rate), "-ac", "1"]
    command += ["-i", "pipe:0"]
    if picture:
        command += [*_SAFE, "-i", f"file:{picture}", *_copy_picture(1, extension)]
        command += ["-map_metadata", "1", "-map_chapters", "1"]
    command += ["-map", "0:a:0", "-c:a", codec, "-b:a", bit_rate]
    for key, value in tags.items():
        command += ["-metadata", f"{key}={value}"]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [*command, "-f", muxer, f"file:{target}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        assert process.stdin is not None
        pipe = process.stdin
        try:
            yield lambda block: _write(pipe, block)
            pipe.close()
            process.wait()
        except BrokenPipeError:  # the program has ended and says why
            process.wait()
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            raise FfmpegError(_first_error(errors, target))


def _write(pipe: IO[bytes], block: NDArray[np.float32]) -> None:
    pipe.write(np.ascontiguousarray(block, "<f4").tobytes())


def check_picture(picture: Path, extension: str) -> None:
    """Raise FfmpegError where a format does not take the picture of a file."""
    command = [_program(), *_QUIET, *_SAFE, "-i", f"file:{picture}", *_copy_picture(0, extension)]
    command += ["-map", "0:a:0", "-c:a", FORMATS[extension][1], "-t", "0.1", "-y"]
    with tempfile.TemporaryFile() as errors:
        done = subprocess.run(
            [*command, "-f", FORMATS[extension][0], os.devnull],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        if done.returncode:
            raise FfmpegError(_first_error(errors, picture))


def _copy_picture(index: int, extension: str) -> list[str]:
    """Return arguments that copy the pictures of an input; to m4a, the cover alone."""
    without_film = ["-map", f"-{index}:V?"] if extension == "m4a" else []
    return ["-map", f"{index}:v?", *without_film, "-c:v", "copy"]


def _program() -> str:
    program = find_ffmpeg()
    if program is None:
        raise FfmpegError("ffmpeg is not installed")
    return program


def _first_error(errors: IO[bytes], path: Path) -> str:
    """Return what was said first, or ""."""
    errors.seek(0)
    lines = errors.read().decode("utf-8", "replace").strip().splitlines()
    if any("matches no streams" in line for line in lines):
        return "there is no sound track"
    first = lines[0].removeprefix(f"file:{path}: ") if lines else ""
    return re.sub(r"^\[[^]]*\] ", "", first).rstrip(". ")  # [demuxer @ address]
