"""Convert a real recording with two shipped voices and draw what changed.

    python recipes/demo.py [RECORDING] [--out demo]

Without a recording it takes recipes/demo.flac: a telephone prompt spoken by Allison Smith
(CC-BY-SA-3.0, see NOTICE).
"""

import argparse
import shutil
from pathlib import Path

import librosa
import matplotlib

matplotlib.use("Agg")  # a file is drawn, no window opened
import matplotlib.pyplot as plt
import numpy as np
import soundfile
import torch

import voxcycle
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.voices.registry import list_voices


def read_mel(path: Path, spec: MelSpec) -> np.ndarray:
    waveform, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = librosa.resample(waveform.mean(axis=1), orig_sr=rate, target_sr=spec.sample_rate)
    return LogMel(spec)(torch.from_numpy(mono)[None])[0].numpy()


def draw_mels(mels: dict[str, np.ndarray], spec: MelSpec, path: Path) -> None:
    figure, axes = plt.subplots(
        len(mels), 1, figsize=(10, 2.4 * len(mels)), sharex=True, layout="constrained"
    )
    top = max(mel.max() for mel in mels.values())
    for axis, (title, mel) in zip(np.atleast_1d(axes), mels.items(), strict=True):
        extent = (0, mel.shape[1] / spec.frame_rate, 0, spec.n_mels)
        axis.imshow(mel, origin="lower", aspect="auto", extent=extent, vmin=top - 8, vmax=top)
        axis.set_title(title, loc="left")
        axis.set_ylabel("mel band")
    axis.set_xlabel("seconds")
    figure.savefig(path, dpi=120)


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

    spec = MelSpec()
    picture = args.out / "mels.png"
    draw_mels({title: read_mel(path, spec) for title, path in files.items()}, spec, picture)
    for title, path in [*files.items(), ("picture", picture)]:
        print(f"{title:16} {path.absolute()}")


if __name__ == "__main__":
    main()
