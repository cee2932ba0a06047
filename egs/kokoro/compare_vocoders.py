"""What one vocoder does and another does not: levels, modulation, noise, pulses, onsets, pictures.

    python egs/kokoro/compare_vocoders.py OUT hifigan fast RECORDING... --voice heart

Every recording is rendered from its own mels by each vocoder (copies), and converted by each voice
with each vocoder (conversions). Rows of OUT/table.md per band:

- level: mean power over speech, dB;
- modulation: power of the band's level in steps of 5 ms, where it rises and falls 2 to 8 times a
  second (syllables), 8 to 32 (sounds) and 32 to 100 (what is finer), dB;
- noise: share of the band that does not repeat from one pitch period to the next, voiced frames;
- pulses: the top of the band's envelope above its mean within a pitch period, dB: harmonics that
  agree in phase make sharp pulses;
- onsets: the steepest rises of the level within 10 ms, 99th percentile, dB.

OUT also receives spectrograms at 5 ms of the first recording and of its conversions, each with its
difference to the first column.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import librosa
import numpy as np
import scipy.signal
import soundfile
from matplotlib.figure import Figure

import voxcycle
from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.resample import resample
from voxcycle.evaluation.stats.summary import markdown_table
from voxcycle.evaluation.systems import copy_synthesis
from voxcycle.vocoders.registry import load_vocoder

BANDS_HZ = ((100, 1000), (1000, 2000), (2000, 4000), (4000, 8000), (8000, 10900))
MODULATION_HZ = ((2, 8), (8, 32), (32, 100))
STEP_S, WINDOW_S = 0.005, 0.010
FLOOR_DB, ACTIVE_DB = -80.0, 40.0
HEADINGS = ("level", *(f"modulation {low} to {high} Hz" for low, high in MODULATION_HZ), "noise")
HEADINGS += ("pulses", "onsets")


def band_levels(waveform: np.ndarray, rate: int) -> np.ndarray:
    """Return the level of each band every 5 ms, dB, (bands, F)."""
    window, hop = round(WINDOW_S * rate), round(STEP_S * rate)
    power = np.abs(librosa.stft(waveform, n_fft=512, win_length=window, hop_length=hop)) ** 2
    freqs = librosa.fft_frequencies(sr=rate, n_fft=512)
    bands = [power[(freqs >= low) & (freqs < high)].sum(0) for low, high in BANDS_HZ]
    return np.maximum(10 * np.log10(np.array(bands) + 1e-12), FLOOR_DB)


def describe(waveform: np.ndarray, f0_hz: np.ndarray, spec: MelSpec) -> np.ndarray:
    """Return the measures, (bands, measures), in the order of HEADINGS."""
    rate = spec.sample_rate
    levels = band_levels(waveform, rate)
    total = 10 * np.log10((10 ** (levels / 10)).sum(0))
    active = total > np.percentile(total, 95) - ACTIVE_DB
    rows = []
    for band, (low, high) in zip(levels, BANDS_HZ, strict=True):
        spoken = np.maximum(band, band[active].max() - ACTIVE_DB)
        freqs, power = scipy.signal.welch(spoken, 1 / STEP_S, nperseg=min(128, len(spoken)))
        modulation = [
            10 * np.log10(power[(freqs >= a) & (freqs < b)].sum()) for a, b in MODULATION_HZ
        ]
        edges = (low, min(high, rate / 2 - 50))
        sos = scipy.signal.butter(4, edges, "bandpass", fs=rate, output="sos")
        noise, pulses = describe_periods(scipy.signal.sosfiltfilt(sos, waveform), f0_hz, spec)
        rises = spoken[2:] - spoken[:-2]
        level = 10 * np.log10((10 ** (band[active] / 10)).mean())
        rows.append([level, *modulation, noise, pulses, np.percentile(rises, 99)])
    return np.array(rows)


def describe_periods(band: np.ndarray, f0_hz: np.ndarray, spec: MelSpec) -> tuple[float, float]:
    """Return the noise share and the envelope's rise over pairs of pitch periods."""
    envelope = np.abs(scipy.signal.hilbert(band)) ** 2
    noise, pulses = [], []
    steady = (f0_hz[1:-1] > 0) & (f0_hz[:-2] > 0) & (f0_hz[2:] > 0)
    for frame in np.flatnonzero(steady) + 1:
        period = spec.sample_rate / f0_hz[frame]
        centre, length = round((frame + 0.5) * spec.hop_length), round(2 * period)
        first = centre - length
        if first < 1 or centre + length + 4 > len(band):
            continue
        here = band[first : first + length]
        best = -1.0
        for lag in range(round(period) - 3, round(period) + 4):
            there = band[first + lag : first + lag + length]
            norm = np.sqrt((here @ here) * (there @ there)) + 1e-12
            best = max(best, float(here @ there / norm))
        noise.append(1 - max(best, 0.0))
        one = envelope[first : first + round(period)]
        pulses.append(10 * np.log10(one.max() / (one.mean() + 1e-12) + 1e-12))
    return (float(np.mean(noise)), float(np.mean(pulses))) if noise else (np.nan, np.nan)


def draw(path: Path, waveforms: dict[str, np.ndarray], spec: MelSpec) -> None:
    """Draw spectrograms at 5 ms and, below, the difference of levels to the first."""
    figure = Figure(figsize=(5 * len(waveforms), 7), layout="constrained")
    panels = figure.subplots(2, len(waveforms), squeeze=False)
    drawn = {}
    for name, x in waveforms.items():
        magnitude = np.abs(librosa.stft(x, n_fft=256, win_length=110, hop_length=32))
        drawn[name] = librosa.amplitude_to_db(magnitude, ref=1.0, amin=1e-4)
    first = next(iter(drawn.values()))
    for column, (name, image) in zip(panels.T, drawn.items(), strict=True):
        extent = (0, image.shape[1] * 32 / spec.sample_rate, 0, spec.sample_rate / 2000)
        place = {"origin": "lower", "aspect": "auto", "extent": extent}
        column[0].imshow(image, vmin=-60, vmax=20, **place)
        column[0].set_title(name)
        n = min(first.shape[1], image.shape[1])
        difference = np.clip(image[:, :n] - first[:, :n], -20, 20)
        column[1].imshow(difference, vmin=-20, vmax=20, cmap="RdBu_r", **place)
        column[1].set(xlabel="s", title="" if image is first else "louder red, softer blue")
    panels[0, 0].set_ylabel("kHz")
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("words", nargs="+", help="two or more vocoders, then recordings")
    parser.add_argument("--voice", action="append", default=[], help="name or file")
    args = parser.parse_intermixed_args()
    spec = MelSpec()
    recordings = [Path(word) for word in args.words if Path(word).suffix in (".flac", ".wav")]
    names = [word for word in args.words if Path(word) not in recordings]
    vocoders = {Path(name).stem: load_vocoder(name, spec) for name in names}
    args.out.mkdir(parents=True, exist_ok=True)
    found: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
    for number, path in enumerate(recordings):
        samples, sample_rate = soundfile.read(path, dtype="float32")
        recording = resample(samples, sample_rate, spec.sample_rate)
        groups = {"copies": {"recording": recording}}
        groups["copies"] |= {
            name: copy_synthesis(recording, spec.sample_rate, vocoder)
            for name, vocoder in vocoders.items()
        }
        for voice in args.voice:
            groups[f"to {Path(voice).stem}"] = {
                name: voxcycle.convert(
                    recording, voice, sample_rate=spec.sample_rate, vocoder=vocoder
                ).waveform
                for name, vocoder in vocoders.items()
            }
        for group, waveforms in groups.items():
            f0_hz = extract_f0(next(iter(waveforms.values())), spec)
            for name, waveform in waveforms.items():
                found["copies" if group == "copies" else "conversions", name].append(
                    describe(waveform, f0_hz, spec)
                )
            if number == 0:
                draw(args.out / f"{group.replace(' ', '_')}.png", waveforms, spec)
    cells = [["", "vocoder", "kHz", *HEADINGS]]
    for (group, name), measures in found.items():
        for (low, high), row in zip(BANDS_HZ, np.nanmean(measures, 0), strict=True):
            band = f"{low / 1000:g} to {high / 1000:g}"
            cells.append([group, name, band, *(f"{value:.2f}" for value in row)])
    table = markdown_table(cells)
    (args.out / "table.md").write_text(table)
    print(table)


if __name__ == "__main__":
    main()
