"""Convert a real recording with two shipped voices and draw what changed.

    python recipes/demo.py [RECORDING] [--out demo]

Without a recording it takes recipes/demo.flac: a telephone prompt spoken by Allison Smith
(CC-BY-SA-3.0, see NOTICE).
"""

import argparse
import shutil
from pathlib import Path

import librosa
import numpy as np
from matplotlib.figure import Figure

import voxcycle
from voxcycle.voices.library import list_voices

SAMPLE_RATE = 22_050
N_FFT = 1_024  # 46 ms: harmonics of a low voice are still apart
HOP = 256
SECONDS = 2
TOP_HZ = 3_000


def read_spectrogram(path: Path) -> np.ndarray:
    """Return decibels, shape (bins up to TOP_HZ, frames), of the first seconds of a file."""
    mono, _ = librosa.load(path, sr=SAMPLE_RATE)
    start = librosa.util.fix_length(mono, size=SECONDS * SAMPLE_RATE)
    magnitude = np.abs(librosa.stft(start, n_fft=N_FFT, hop_length=HOP))
    n_bins = TOP_HZ * N_FFT // SAMPLE_RATE
    return librosa.amplitude_to_db(magnitude[:n_bins], ref=float(magnitude.max()), top_db=60)


def draw_spectrograms(files: dict[str, Path], path: Path) -> None:
    """Draw the files side by side; harmonics lie closer together where the pitch is lower."""
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    axes = figure.subplots(1, len(files), sharey=True, squeeze=False)
    extent = (0, SECONDS, 0, TOP_HZ / 1000)
    for axis, (title, file) in zip(axes[0], files.items(), strict=True):
        decibels = read_spectrogram(file)
        axis.imshow(decibels, origin="lower", aspect="auto", extent=extent, interpolation="nearest")
        axis.set_title(title, loc="left")
        axis.set_xlabel("seconds")
    axes[0][0].set_ylabel("kHz")
    figure.savefig(path, dpi=100)


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

    picture = args.out / "before_after.png"
    draw_spectrograms(files, picture)
    for title, path in [*files.items(), ("picture", picture)]:
        print(f"{title:16} {path.absolute()}")


if __name__ == "__main__":
    main()
