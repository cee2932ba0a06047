"""Spectrograms of the same sentences through each vocoder, for docs/vocoder.md.

    python egs/kokoro/draw_vocoders.py CORPUS OUT [VOCODER...]

One picture per evaluation speaker that is drawn: the recording and its copy syntheses, whole above,
below it 0 to 3 kHz of a part.
"""

import argparse
from pathlib import Path

import librosa
import numpy as np
import soundfile
from matplotlib.figure import Figure

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.resample import resample
from voxcycle.evaluation.systems import copy_synthesis
from voxcycle.vocoders.registry import load_vocoder

SENTENCES = {"af_sarah": "003", "am_puck": "003"}
DURATION_S = 3.0
PART_S = (0.8, 1.8)
HOP = 128


def draw(axes, waveform: np.ndarray, sample_rate: int, n_fft: int, title: str) -> None:
    spectrum = np.abs(librosa.stft(waveform, n_fft=n_fft, hop_length=HOP))
    place = {"origin": "lower", "aspect": "auto"}
    extent = (0, len(waveform) / sample_rate, 0, sample_rate / 2000)
    axes.imshow(librosa.amplitude_to_db(spectrum), vmin=-40, vmax=30, extent=extent, **place)
    axes.set_title(title, fontsize=10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("vocoders", nargs="*", default=["hifigan", "fast", "griffin-lim"])
    args = parser.parse_args()
    spec = MelSpec()
    vocoders = {Path(name).stem: load_vocoder(name, spec) for name in args.vocoders}
    args.out.mkdir(parents=True, exist_ok=True)
    for speaker, sentence in SENTENCES.items():
        path = args.corpus / "wavs" / speaker / "eval" / f"{sentence}.flac"
        samples, sample_rate = soundfile.read(path, dtype="float32")
        recording = resample(samples, sample_rate, spec.sample_rate)
        recording = recording[: round(DURATION_S * spec.sample_rate)]
        waveforms = {"recording": recording} | {
            name: copy_synthesis(recording, spec.sample_rate, vocoder)
            for name, vocoder in vocoders.items()
        }
        figure = Figure(figsize=(4 * len(waveforms), 8), layout="constrained")
        panels = figure.subplots(2, len(waveforms), squeeze=False)
        for column, (name, waveform) in zip(panels.T, waveforms.items(), strict=True):
            draw(column[0], waveform, spec.sample_rate, 1024, title=name)
            draw(column[1], waveform, spec.sample_rate, 2048, title=f"{name}, 0 to 3 kHz of a part")
            column[1].set(xlim=PART_S, ylim=(0, 3), xlabel="s")
        panels[0, 0].set_ylabel("kHz")
        panels[1, 0].set_ylabel("kHz")
        figure.savefig(args.out / f"{speaker}.png", dpi=70)
        print(args.out / f"{speaker}.png")


if __name__ == "__main__":
    main()
