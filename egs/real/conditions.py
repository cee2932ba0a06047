"""Make difficult recordings from clean ones: noise, rooms, codecs, levels, events.

    python egs/real/conditions.py --real FOLDER --role eval --out OUT

FOLDER has `manifest.csv` and its clips. `clean` links every clip of the role; every other condition
has the two longest clips of each speaker, `sparse` those of two speakers. Each file depends on its
clip and its condition (babble also on the role's other clips), so a second call makes only what is
missing.
OUT/conditions.csv lists the files: where the clean clip is, and where it begins in the recording.
"""

import argparse
import csv
import io
import zlib
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, sosfilt

from voxcycle.audio.level import active_level_db
from voxcycle.audio.mixdown import load_mono
from voxcycle.audio.resample import resample
from voxcycle.console import late_progress
from voxcycle.files import replacing

RATE = 22_050
MP3_ONLY = "librispeech-devclean-mp3"  # already coded: says nothing about the other conditions
N_LONGEST = 2
N_SPARSE_SPEAKERS = 2
SPARSE_SHARE = 0.1
SPARSE_FLOOR_DBFS = -55.0
N_BABBLE = 6
MP3_DELAY = 1105  # samples that encoder and decoder add before the sound
PEAK = 0.98  # a mixture that passes it is scaled down

Waveform = NDArray[np.float64]


class Clip(NamedTuple):
    """A row of the manifest."""

    path: Path
    corpus: str
    speaker: str
    language: str
    seconds: float
    text: str

    @property
    def folder(self) -> str:
        """Of its speaker."""
        return f"{self.corpus}_{self.speaker}"


class Material(NamedTuple):
    """What a condition is made from.

    Attributes:
        speech: the clean clip, (T,).
        rng: of this clip and condition.
        others: clips of other speakers.
    """

    speech: Waveform
    rng: np.random.Generator
    others: list[Path]


def add_noise(speech: Waveform, noise: Waveform, snr_db: float) -> Waveform:
    """Add noise at a distance from the active level of the speech."""
    level = active_level_db(speech.astype(np.float32), RATE) - snr_db
    return speech + noise * 10 ** (level / 20) / np.sqrt(np.mean(noise**2))


def pink(material: Material, snr_db: float) -> Waveform:
    """Add noise whose power falls by 3 dB an octave from 50 Hz."""
    n = len(material.speech)
    spectrum = np.fft.rfft(material.rng.normal(size=n))
    hertz = np.fft.rfftfreq(n, 1 / RATE)
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(hertz, 50.0)), n)
    return add_noise(material.speech, noise, snr_db)


def babble(material: Material) -> Waveform:
    """Add six other speakers at once, 15 dB below."""
    n_others = len(material.others)
    chosen = material.rng.choice(n_others, N_BABBLE, replace=n_others < N_BABBLE)
    noise = np.zeros(len(material.speech))
    for index in chosen:
        other = load_mono(material.others[index], RATE)
        other = other * 10 ** (-active_level_db(other, RATE) / 20)
        noise += np.resize(np.roll(other, material.rng.integers(len(other))), len(noise))
    return add_noise(material.speech, noise, 15.0)


def room(material: Material, t60_s: float) -> Waveform:
    """Speak 1.5 m from the microphone in a room of that reverberation time."""
    import pyroomacoustics as pra

    size = material.rng.uniform([4.0, 3.5, 2.4], [7.0, 5.5, 3.2])
    absorption, order = pra.inverse_sabine(t60_s, size)
    walls = pra.ShoeBox(size, fs=RATE, materials=pra.Material(absorption), max_order=order)
    angle = material.rng.uniform(0, 2 * np.pi)
    mouth = np.array([*(size[:2] / 2), 1.5])
    walls.add_source(mouth, signal=material.speech)
    walls.add_microphone(mouth + 1.5 * np.array([np.cos(angle), np.sin(angle), 0.0]))
    walls.compute_rir()
    response = np.asarray(walls.rir[0][0])
    wet = fftconvolve(material.speech, response)
    start = int(np.argmax(np.abs(response)))  # the direct sound
    wet = wet[start : start + len(material.speech)]
    levels = [active_level_db(x.astype(np.float32), RATE) for x in (material.speech, wet)]
    return wet * 10 ** ((levels[0] - levels[1]) / 20)


def telephone(material: Material) -> Waveform:
    """Pass 300 to 3400 Hz at 8 kHz."""
    narrow = resample(material.speech.astype(np.float32), RATE, 8000).astype(np.float64)
    narrow = sosfilt(butter(4, [300, 3400], "bandpass", fs=8000, output="sos"), narrow)
    return _fit(resample(narrow.astype(np.float32), 8000, RATE), len(material.speech))


def mp3(material: Material) -> Waveform:
    """Code as MP3 at 32 kbit/s."""
    coded = io.BytesIO()
    soundfile.write(
        coded,
        material.speech,
        RATE,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="CONSTANT",
        compression_level=(160 - 32) / (160 - 8),
    )
    coded.seek(0)
    decoded, _ = soundfile.read(coded)
    return _fit(decoded[MP3_DELAY:], len(material.speech))


def hum(material: Material) -> Waveform:
    """Add the mains, 50 or 60 Hz, with five falling harmonics, 25 dB below the speech."""
    base = material.rng.choice([50.0, 60.0])
    t = np.arange(len(material.speech)) / RATE
    phases = material.rng.uniform(0, 2 * np.pi, 6)
    waves = [np.sin(2 * np.pi * base * k * t + phases[k - 1]) / k for k in range(1, 7)]
    return add_noise(material.speech, np.sum(waves, axis=0), 25.0)


def clipped(material: Material) -> Waveform:
    """Clip the highest 6 dB of the peaks."""
    peak = np.abs(material.speech).max()
    return np.clip(material.speech / peak * 10 ** (6 / 20), -0.999, 0.999)


def soft(material: Material) -> Waveform:
    """Record 30 dB softer."""
    return material.speech * 10 ** (-30 / 20)


def sparse(material: Material) -> Waveform:
    """Speak for a tenth of a long recording with a floor of -55 dBFS."""
    n = round(len(material.speech) / SPARSE_SHARE)
    noise = material.rng.normal(size=n) * 10 ** (SPARSE_FLOOR_DBFS / 20)
    start = sparse_start(len(material.speech))
    noise[start : start + len(material.speech)] += material.speech
    return noise


def sparse_start(n_samples: int) -> int:
    """Return the sample at which the speech of `sparse` begins."""
    return round(n_samples / SPARSE_SHARE * 0.4)


def uneven(material: Material) -> Waveform:
    """Speak the second half 15 dB softer."""
    n = len(material.speech)
    ramp = np.clip((np.arange(n) - n / 2) / (0.1 * RATE), 0, 1)
    return material.speech * 10 ** (-15 * ramp / 20)


def events(material: Material) -> Waveform:
    """Bump the table once, at full scale, and clap once."""
    speech = material.speech.copy()
    t = np.arange(round(0.4 * RATE)) / RATE
    thump = 0.9 * np.sin(2 * np.pi * 35 * t) * np.exp(-t / 0.08)
    clap = material.rng.normal(size=len(t)) * np.exp(-t / 0.008)
    clap *= 0.7 / np.abs(clap).max()
    for event in (thump, clap):
        start = material.rng.integers(len(speech) - len(event))
        speech[start : start + len(event)] += event
    return np.clip(speech, -0.999, 0.999)


def _fit(waveform: NDArray, n_samples: int) -> Waveform:
    """Cut or pad to a length."""
    padded = np.pad(waveform[:n_samples], (0, max(0, n_samples - len(waveform))))
    return padded.astype(np.float64)


CONDITIONS: dict[str, Callable[[Material], Waveform]] = {
    "pink20": lambda material: pink(material, 20.0),
    "pink10": lambda material: pink(material, 10.0),
    "babble15": babble,
    "room03": lambda material: room(material, 0.3),
    "room06": lambda material: room(material, 0.6),
    "telephone": telephone,
    "mp3": mp3,
    "hum": hum,
    "clipped": clipped,
    "soft": soft,
    "sparse": sparse,
    "uneven": uneven,
    "events": events,
}


def read_clips(real: Path, role: str) -> list[Clip]:
    """Return the clips of a role in the manifest's order."""
    with (real / "manifest.csv").open(encoding="utf-8") as file:
        return [
            Clip(
                path=real / row["path"],
                corpus=row["corpus"],
                speaker=row["speaker"],
                language=row["lang"],
                seconds=float(row["seconds"]),
                text=row["text"],
            )
            for row in csv.DictReader(file)
            if row["split"] == role
        ]


def choose_clips(clips: list[Clip]) -> dict[str, list[Clip]]:
    """Return the clips of each condition, `clean` first."""
    by_speaker: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        if clip.corpus != MP3_ONLY:
            by_speaker[clip.folder].append(clip)
    longest = {
        name: sorted(own, key=lambda clip: -clip.seconds)[:N_LONGEST]
        for name, own in by_speaker.items()
    }
    chosen = {"clean": [clip for clip in clips if clip.corpus != MP3_ONLY]}
    for condition in CONDITIONS:
        names = sorted(longest)
        if condition == "sparse":
            english = [name for name in names if longest[name][0].language.startswith("en")]
            names = english[:: max(1, len(english) // N_SPARSE_SPEAKERS)][:N_SPARSE_SPEAKERS]
        chosen[condition] = [clip for name in names for clip in longest[name]]
    chosen["mp3"] += [clip for clip in clips if clip.corpus == MP3_ONLY]
    return chosen


def make(clip: Clip, condition: str, target: Path, clips: list[Clip]) -> float:
    """Write a clip in a condition unless it is there; returns where the speech begins, in s."""
    target.parent.mkdir(parents=True, exist_ok=True)
    is_untouched = condition == "clean" or clip.corpus == MP3_ONLY
    if is_untouched and not target.is_symlink():
        target.symlink_to(clip.path.resolve())
    elif not is_untouched and not target.exists():
        speech = load_mono(clip.path, RATE).astype(np.float64)
        seed = zlib.crc32(f"{condition} {clip.folder} {clip.path.name}".encode())
        others = [other.path for other in clips if other.folder != clip.folder]
        waveform = CONDITIONS[condition](Material(speech, np.random.default_rng(seed), others))
        waveform *= min(1.0, PEAK / np.abs(waveform).max())
        with replacing(target) as unfinished:
            soundfile.write(unfinished, waveform, RATE, format="FLAC", subtype="PCM_24")
    if condition != "sparse":
        return 0.0
    return sparse_start(round(soundfile.info(clip.path).duration * RATE)) / RATE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real", type=Path, required=True, help="folder with manifest.csv")
    parser.add_argument("--role", choices=("valid", "eval"), default="valid")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    clips = read_clips(args.real, args.role)
    if len({clip.folder for clip in clips}) < 2:
        raise SystemExit(f"{args.real}: babble needs clips of two {args.role} speakers at least")
    chosen = choose_clips(clips)
    jobs = [(condition, clip) for condition, own in chosen.items() for clip in own]
    rows = []
    with late_progress("conditions", len(jobs)) as advance:
        for condition, clip in jobs:
            target = args.out / condition / clip.folder / f"{clip.path.stem}.flac"
            start_s = make(clip, condition=condition, target=target, clips=clips)
            rows.append(
                {
                    "condition": condition,
                    "path": target.relative_to(args.out),
                    "clean": clip.path.relative_to(args.real),
                    "speaker": clip.folder,
                    "language": clip.language,
                    "start_s": f"{start_s:.3f}",
                    "text": clip.text,
                }
            )
            advance()
    with (args.out / "conditions.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
