"""Compare F0 trackers under all conditions: voicing and gross errors against the clean recording.

    python egs/real/trackers.py --conditions OUT --real FOLDER [--every N] [--result ID]

What is right is a consensus over the clean clip: a frame is voiced where two of Harvest, pYIN
and Praat agree within a semitone, unvoiced where none of them hears a voice; others do not count.
Harvest and Praat are compared too, though they have a voice in the consensus.
OUT is made by conditions.py. `swift-f0` is voxcycle's own use of SwiftF0: less rumble, evened
level, a lower threshold; `swift-f0 plain` is the network as it comes.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from record import record
from yardstick import RATE, SPEC, Wave, read_rows

from voxcycle.audio.activity import find_activity
from voxcycle.audio.f0 import F0_MAX_HZ, F0_MIN_HZ, TRACKER_RATE, extract_f0, load_tracker
from voxcycle.audio.mixdown import load_mono
from voxcycle.audio.resample import resample
from voxcycle.audio.world import ANALYSIS_MS, VOICED_LOW_SHARE, import_pyworld, love_train, track_f0
from voxcycle.console import late_progress
from voxcycle.evaluation.report.results import Value

SEMITONE = np.log(2) / 12
PLAIN_CONFIDENCE = 0.5


def at_frames(f0_hz: Wave, times: Wave, n_samples: int) -> Wave:
    """Read a contour at the centres of the mel frames, (F,); 0 stays 0."""
    centres = (np.arange(n_samples // SPEC.hop_length) + 0.5) * SPEC.hop_length / RATE
    voiced = f0_hz > 0
    if not voiced.any():
        return np.zeros(len(centres), np.float32)
    nearest = np.abs(np.subtract.outer(centres, times)).argmin(1)
    log_f0 = np.interp(centres, times[voiced], np.log(f0_hz[voiced]))
    return np.where(voiced[nearest], np.exp(log_f0), 0.0).astype(np.float32)


def dio(waveform: Wave) -> Wave:
    """DIO, StoneMask and D4C's voicing: what files of DIO's time were made with."""
    levelled = find_activity(waveform, SPEC).level(waveform)
    return at_frames(*track_f0(levelled.astype(np.float64), RATE), len(waveform))


def harvest(waveform: Wave) -> Wave:
    """Harvest (Morise, 2017), StoneMask and D4C's voicing."""
    world, signal = import_pyworld(), waveform.astype(np.float64)
    f0_hz, times = world.harvest(
        signal, RATE, f0_floor=F0_MIN_HZ, f0_ceil=F0_MAX_HZ, frame_period=ANALYSIS_MS
    )
    f0_hz = world.stonemask(signal, f0_hz, times, RATE)
    is_voiced = love_train(signal, f0_hz, times, RATE) > VOICED_LOW_SHARE
    return at_frames(np.where(is_voiced, f0_hz, 0.0), times, len(waveform))


def pyin(waveform: Wave) -> Wave:
    """Return the contour of pYIN (Mauch and Dixon, 2014)."""
    import librosa

    f0_hz, is_voiced, _ = librosa.pyin(
        waveform, fmin=F0_MIN_HZ, fmax=F0_MAX_HZ, sr=RATE, hop_length=SPEC.hop_length
    )
    times = np.arange(len(f0_hz)) * SPEC.hop_length / RATE
    return at_frames(np.where(is_voiced, f0_hz, 0.0), times, len(waveform))


def praat(waveform: Wave) -> Wave:
    """Return the contour of Praat's autocorrelation (Boersma, 1993)."""
    import parselmouth

    found = parselmouth.Sound(waveform.astype(np.float64), RATE).to_pitch_ac(
        time_step=ANALYSIS_MS / 1000, pitch_floor=F0_MIN_HZ, pitch_ceiling=F0_MAX_HZ
    )
    return at_frames(found.selected_array["frequency"], found.xs(), len(waveform))


def plain(waveform: Wave) -> Wave:
    """SwiftF0 with its own threshold, on the recording as it is."""
    found = load_tracker().detect(
        resample(waveform, RATE, TRACKER_RATE), TRACKER_RATE, F0_MIN_HZ, F0_MAX_HZ
    )
    is_voiced = found.confidence >= PLAIN_CONFIDENCE
    return at_frames(np.where(is_voiced, found.pitch_hz, 0.0), found.timestamps, len(waveform))


REFEREES: list[Callable[[Wave], Wave]] = [harvest, pyin, praat]
TRACKERS: dict[str, Callable[[Wave], Wave]] = {
    "swift-f0": lambda waveform: extract_f0(waveform, SPEC),
    "swift-f0 plain": plain,
    "dio": dio,
    "praat": praat,
    "harvest": harvest,
}


def agree(contours: list[Wave]) -> tuple[Wave, Wave]:
    """Return the consensus (F,) of contours, 0 = unvoiced, and which frames it judges, (F,)."""
    tracks = np.array(contours)
    voiced, log_f0 = tracks > 0, np.log(np.maximum(tracks, 1.0))
    pitch = np.zeros(tracks.shape[1])
    for i in range(len(tracks)):
        for j in range(i):
            close = voiced[i] & voiced[j] & (np.abs(log_f0[i] - log_f0[j]) < SEMITONE)
            pitch = np.where(close & (pitch == 0), np.exp((log_f0[i] + log_f0[j]) / 2), pitch)
    return pitch, (pitch > 0) | ~voiced.any(0)


def compare(found: Wave, right: Wave, is_judged: Wave) -> np.ndarray:
    """Count frames voiced in both, in `found`, in `right`; count gross errors, sum fine ones."""
    n = min(len(found), len(right))
    found, right, is_judged = found[:n], right[:n], is_judged[:n]
    both = (found > 0) & (right > 0) & is_judged
    errors = np.abs(np.log(found[both] / right[both])) / SEMITONE
    fine = errors <= 1
    counts = (both.sum(), ((found > 0) & is_judged).sum(), (right > 0).sum(), (~fine).sum())
    return np.array([*counts, errors[fine].sum()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--conditions", type=Path, required=True, help="made by conditions.py")
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--only", default="", help="conditions, with commas")
    parser.add_argument("--every", type=int, default=1, help="take each n-th recording")
    parser.add_argument("--result", help="ID of the result file to write under results/")
    args = parser.parse_args()
    started = time.monotonic()
    only = [name for name in args.only.split(",") if name]
    rows = read_rows(args.conditions, args.real, args.every, only)
    right: dict[Path, tuple[Wave, Wave]] = {}
    counts: dict[tuple[str, str], np.ndarray] = {}
    with late_progress("recordings", len(rows)) as advance:
        for row in rows:
            if row.clean not in right:
                clean = load_mono(row.clean, RATE)
                right[row.clean] = agree([track(clean) for track in REFEREES])
            recording = load_mono(row.path, RATE)
            first = round(row.start_s * SPEC.frame_rate)
            for name, track in TRACKERS.items():
                found = track(recording)[first:]
                key = row.condition, name
                counts[key] = counts.get(key, np.zeros(5)) + compare(found, *right[row.clean])
            advance()
    summary: list[dict[str, Value]] = []
    for (condition, name), (both, n_found, n_right, gross, fine) in counts.items():
        scores = {
            "voicing_f1": 2 * both / (n_found + n_right),
            "gross_rate": gross / both,
            "fine_semitones": fine / (both - gross),
        }
        rounded = {key: round(float(value), 4) for key, value in scores.items()}
        summary.append({"row": f"{condition}, {name}", **rounded})
        print(json.dumps(summary[-1]), flush=True)
    if args.result:
        title = f"F0 trackers by condition, {args.conditions.name} speakers"
        record(args.result, title, rows=summary, recordings=right, started=started)


if __name__ == "__main__":
    main()
