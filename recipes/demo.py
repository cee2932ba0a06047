"""Convert a real recording with two shipped voices and draw what changed.

    python recipes/demo.py [RECORDING] [--out demo]

Without a recording it takes recipes/demo.flac: a telephone prompt spoken by Allison Smith
(CC-BY-SA-3.0, see NOTICE).
"""

import argparse
import base64
import shutil
import struct
import zlib
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import voxcycle
from voxcycle.audio.mixdown import load_mono
from voxcycle.console import errors_in_one_sentence
from voxcycle.voices.library import list_voices

SAMPLE_RATE = 22_050
N_FFT = 1_024  # 46 ms: harmonics of a low voice are still apart
HOP = 256
SECONDS = 2
TOP_HZ = 3_000
RANGE_DB = 60
WIDTH, HEIGHT, LEFT, TOP, GAP, BELOW = 330, 250, 46, 28, 16, 40  # of a panel, and around it
COLOURS = ((12, 7, 40), (92, 24, 110), (188, 55, 84), (246, 136, 48), (252, 245, 170))


def read_spectrogram(path: Path) -> NDArray[np.float64]:
    """Return decibels, shape (bins up to TOP_HZ, frames), of the first seconds of a file."""
    n_samples = SECONDS * SAMPLE_RATE
    start = np.pad(load_mono(path, SAMPLE_RATE), (0, n_samples))[:n_samples]
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(start, N_FFT // 2), N_FFT)[::HOP]
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(N_FFT))).T
    n_bins = TOP_HZ * N_FFT // SAMPLE_RATE
    decibels = 20 * np.log10(np.maximum(magnitude[:n_bins], 1e-9) / magnitude.max())
    return np.maximum(decibels, -RANGE_DB)


def encode_png(decibels: NDArray[np.float64]) -> str:
    """Return a picture with low frequencies below, loud ones bright, as a data URI."""
    place = (decibels[::-1] / RANGE_DB + 1) * (len(COLOURS) - 1)
    channels = [
        np.interp(place, range(len(COLOURS)), values) for values in zip(*COLOURS, strict=True)
    ]
    pixels = np.stack(channels, -1).astype(np.uint8)
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    png = b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")):
        png += struct.pack(">I", len(data)) + kind + data
        png += struct.pack(">I", zlib.crc32(kind + data))
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def draw_spectrograms(files: dict[str, Path], path: Path) -> None:
    """Draw the files side by side; harmonics lie closer together where the pitch is lower."""
    total, bottom = LEFT + len(files) * (WIDTH + GAP), TOP + HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} {bottom + BELOW}" '
        'font-family="sans-serif" font-size="13" fill="#222">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="12" y="{TOP + HEIGHT / 2}" text-anchor="middle" '
        f'transform="rotate(-90 12 {TOP + HEIGHT / 2})">kHz</text>',
    ]
    for khz in range(TOP_HZ // 1000 + 1):
        y = bottom - HEIGHT * khz * 1000 / TOP_HZ
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{khz}</text>')
        parts.append(f'<path d="M{LEFT - 5} {y}h5" stroke="#222"/>')
    for index, (title, file) in enumerate(files.items()):
        x = LEFT + index * (WIDTH + GAP)
        parts.append(f'<text x="{x}" y="{TOP - 9}" font-size="15">{escape(title)}</text>')
        parts.append(
            f'<image x="{x}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" '
            f'preserveAspectRatio="none" href="{encode_png(read_spectrogram(file))}"/>'
        )
        for second in range(SECONDS + 1):
            at = x + WIDTH * second / SECONDS
            parts.append(f'<text x="{at}" y="{bottom + 17}" text-anchor="middle">{second}</text>')
        parts.append(
            f'<text x="{x + WIDTH / 2}" y="{bottom + 33}" text-anchor="middle">seconds</text>'
        )
    path.write_text("\n".join([*parts, "</svg>\n"]), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).with_name("demo.flac")
    parser.add_argument("recording", type=Path, nargs="?", default=default)
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder of the results")
    args = parser.parse_args()

    names = [voice.name for voice in list_voices() if voice.origin == "shipped"][:2]
    if not names:
        raise SystemExit("no voice is shipped with this checkout: train one, see README.md")
    args.out.mkdir(parents=True, exist_ok=True)
    before = args.out / args.recording.name
    shutil.copyfile(args.recording, before)
    files = {"before": before}
    for name in names:
        print(f"converting {args.recording} to {name}")
        [result] = voxcycle.convert_files(before, to=name, overwrite=True)
        if result.output is None:
            raise SystemExit(result.error)
        files[f"after: {name}"] = result.output

    picture = args.out / "before_after.svg"
    draw_spectrograms(files, picture)
    for title, path in [*files.items(), ("picture", picture)]:
        print(f"{title:16} {path.absolute()}")


if __name__ == "__main__":
    with errors_in_one_sentence():
        main()
