"""Headers that promise more than there is, and small files that hold hours."""

import struct
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from voxcycle.audio.io import AudioError, FileSource
from voxcycle.evaluation.stats.cost import peak_memory_mb

RATE = 8000
SOUND = (0.1 * np.sin(np.arange(RATE) * 0.2)).astype(np.float32)
HUGE = 2**31
# Format; what is changed, at which place or behind which bytes, and to what.
PROMISES = {
    "wav, channels": ("WAV", b"fmt ", 6, "<H", 65_535),
    "wav, bytes of sound": ("WAV", b"data", 0, "<I", HUGE),
    "wav, bytes of a block": ("WAV", b"fmt ", 16, "<H", 65_535),
    "rf64, bytes of sound": ("RF64", b"ds64", 12, "<Q", HUGE << 31),
    "rf64, frames": ("RF64", b"ds64", 20, "<Q", HUGE << 31),
    "w64, bytes of sound": ("W64", b"data", 12, "<Q", HUGE << 31),
    "aiff, channels": ("AIFF", b"COMM", 4, ">H", 65_535),
    "aiff, frames": ("AIFF", b"COMM", 6, ">I", HUGE),
    "aiff, bytes of sound": ("AIFF", b"SSND", 0, ">I", HUGE),
    "au, channels": ("AU", b".snd", 16, ">I", HUGE),
    "au, bytes of sound": ("AU", b".snd", 4, ">I", HUGE),
    "au, place of the sound": ("AU", b".snd", 0, ">I", HUGE),
    "caf, channels": ("CAF", b"lpcm", 12, ">I", HUGE),
    "caf, bytes of sound": ("CAF", b"data", 0, ">Q", HUGE << 31),
    "flac, frames": ("FLAC", b"fLaC", 18, ">I", 0xFFFFFFFF),
    "mat5, frames": ("MAT5", b"wavedata", 0, "<I", HUGE),
    "voc, bytes": ("VOC", b"\x1a", 8, "<I", HUGE),
}


@pytest.mark.parametrize("case", PROMISES)
def test_promises_cost_nothing(tmp_path, case):
    """What is there is read, or the file is refused; memory is that of the file."""
    kind, mark, offset, form, number = PROMISES[case]
    soundfile.write(path := tmp_path / "a", SOUND, RATE, format=kind, subtype="PCM_16")
    data = bytearray(path.read_bytes())
    place = data.index(mark) + len(mark) + offset
    data[place : place + struct.calcsize(form)] = struct.pack(form, number)
    path.write_bytes(data)
    before = peak_memory_mb()
    try:
        n_read = sum(block.size for block in FileSource(path).blocks())
    except AudioError as error:
        assert str(error).startswith(f"{path}: ")
    else:
        assert n_read <= len(SOUND) + 1024
    assert peak_memory_mb() - before < 100


PROGRAM = """
import sys
from voxcycle.cli import main
from voxcycle.evaluation.stats.cost import peak_memory_mb
try:
    main(sys.argv[1:])
finally:
    print(peak_memory_mb())
"""


def test_hours_in_a_small_file_are_read_in_little_memory(tmp_path, voice_path):
    """Four hours of silence in FLAC, and in Ogg as 240 joined minutes."""
    silence = np.zeros(60 * RATE, np.int16)
    with soundfile.SoundFile(tmp_path / "a.flac", "w", RATE, 1) as file:
        for _ in range(240):
            file.write(silence)
    soundfile.write(tmp_path / "minute.ogg", silence, RATE)
    (tmp_path / "b.ogg").write_bytes((tmp_path / "minute.ogg").read_bytes() * 240)
    bombs = [tmp_path / "a.flac", tmp_path / "b.ogg"]
    assert all(path.stat().st_size < 2_000_000 for path in bombs)
    options = ["--to", str(voice_path), "--vocoder", "griffin-lim", "-o", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "convert", *map(str, bombs), *options],
        capture_output=True,
        text=True,
    )
    errors = done.stderr.splitlines()
    assert done.returncode == 2
    for path, line in zip(bombs, errors[:2], strict=True):
        assert line.startswith(f"error: {path}: silent, there is nothing above")
    assert float(done.stdout.splitlines()[-1]) < 500  # the sound alone would be 440 MB as float32
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert left == {"manifest.jsonl", ".manifest.jsonl.lock"}
