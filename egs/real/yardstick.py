"""The yardstick of real recordings: the clips of all conditions, and what is measured of each."""

import csv
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.activity import find_speech
from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.level import frame_power, remove_rumble, to_db
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.mixdown import load_mono
from voxcycle.audio.moving import moving_sum
from voxcycle.audio.resample import resample
from voxcycle.evaluation.metrics.asr import WhisperTranscriber, find_model, word_errors
from voxcycle.evaluation.metrics.naturalness import DistillMOS
from voxcycle.evaluation.metrics.phones import PhoneRecogniser, phone_errors
from voxcycle.evaluation.metrics.pitch import compare_f0
from voxcycle.evaluation.metrics.similarity import ResemblyzerEmbedder, centroid, cosine

SPEC = MelSpec()
RATE, JUDGE_RATE = SPEC.sample_rate, 16_000
SEGMENT_S = 0.5  # over which the levels of speech are compared
EDGE_S = 0.1  # around speech, which counts neither as speech nor as pause
PAUSE_FLOOR_DB, PAUSE_EXCESS_DB = -60.0, 3.0
ADDED = ("pink20", "pink10", "babble15", "hum", "events")  # the speech is in them as it is in clean

Wave = NDArray[np.float32]


class Row(NamedTuple):
    """A recording to convert, of conditions.csv."""

    condition: str
    path: Path
    clean: Path
    speaker: str
    language: str
    start_s: float
    text: str


class Clean(NamedTuple):
    """The clean clip of a recording: its samples, speech frames, and what is heard in it."""

    waveform: Wave
    speech: NDArray[np.bool_]
    words: str
    phones: list[str]
    requested_f0: Wave


def read_rows(folder: Path, real: Path, every: int, conditions: list[str]) -> list[Row]:
    """Return every n-th recording of each condition in English, `clean` first."""
    with (folder / "conditions.csv").open(encoding="utf-8") as file:
        rows = [
            Row(
                condition=row["condition"],
                path=folder / row["path"],
                clean=real / row["clean"],
                speaker=row["speaker"],
                language=row["language"],
                start_s=float(row["start_s"]),
                text=row["text"],
            )
            for row in csv.DictReader(file)
            if row["language"].startswith("en")
        ]
    by_condition: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if not conditions or row.condition in conditions:
            by_condition[row.condition].append(row)
    return [row for own in by_condition.values() for row in own[::every]]


def remove_rumble_of_each(*waveforms: Wave) -> list[Wave]:
    """Return waveforms as levels are measured in them."""
    return [steady for x in waveforms for steady in remove_rumble([x], RATE)]


def measure_levels(source: Wave, output: Wave, speech: NDArray[np.bool_]) -> dict[str, float]:
    """Return the level error of speech and the level of pauses.

    Args:
        source: the recording, or its clean clip where something was added to it, (T,).
        output: its conversion, (T,).
        speech: of the clean clip, (F,).
    """
    hop, frames = SPEC.hop_length, len(speech)
    into, out = (
        frame_power(steady, hop)[:frames] for steady in remove_rumble_of_each(source, output)
    )
    segment = np.arange(frames) // round(SEGMENT_S * SPEC.frame_rate)
    sums = [np.bincount(segment, power * speech) for power in (into, out)]
    full = np.bincount(segment, speech) > 0.5 * round(SEGMENT_S * SPEC.frame_rate)
    errors = to_db(sums[1][full]) - to_db(sums[0][full])
    pause = moving_sum(speech.astype(np.float64), round(EDGE_S * SPEC.frame_rate)) < 0.5
    scores = {"level_rms_db": float(np.sqrt(np.mean(errors**2))) if full.any() else np.nan}
    if pause.any():
        own_db = to_db(out[pause])
        allowed_db = np.maximum(to_db(into[pause]) + PAUSE_EXCESS_DB, PAUSE_FLOOR_DB)
        scores["pause_excess_db"] = float(np.percentile(own_db - allowed_db, 95))
        scores["pause_below_speech_db"] = float(
            to_db(out[speech].mean()) - to_db(out[pause].mean())
        )
    return scores


class Yardstick:
    """The metrics, and what they find in the clean clips."""

    def __init__(self, asr: str, references: list[Path]) -> None:
        self.asr, self.phones = WhisperTranscriber(find_model(asr)), PhoneRecogniser()
        self.embedder, self.naturalness = ResemblyzerEmbedder(), DistillMOS()
        self.target = self.centroid(references) if references else np.zeros(0, np.float32)
        self._sources: dict[str, Wave] = {}

    def centroid(self, paths: list[Path]) -> Wave:
        """Return the speaker of some recordings."""
        return centroid([self.embedder.embed(load_mono(path, JUDGE_RATE)) for path in paths])

    def source(self, row: Row) -> Wave:
        """Return the centroid of a speaker's clean clips."""
        if row.speaker not in self._sources:
            own = sorted(row.clean.parent.glob("*.flac"))
            self._sources[row.speaker] = self.centroid(own)
        return self._sources[row.speaker]

    def hear(self, waveform: Wave, clean: Clean, text: str) -> dict[str, Any]:
        """Return errors and lengths of words and phones in a waveform (T,) at `RATE`."""
        speech = resample(waveform, RATE, JUDGE_RATE)
        heard = self.asr.transcribe(speech, "en")
        words = word_errors(text or clean.words, heard)
        phones = phone_errors(clean.phones, self.phones.recognise(speech))
        return {
            "heard": heard,
            "word_errors": words.errors,
            "words": words.length,
            "phone_errors": phones.errors,
            "phones": phones.length,
        }

    def score(self, output: Wave, recording: Wave, clean: Clean, row: Row) -> dict[str, Any]:
        """Return all scores of a conversion (T,) of a recording (T,), both from where it speaks."""
        speech = resample(output, RATE, JUDGE_RATE)
        embedding = self.embedder.embed(speech)
        to_target, to_source = cosine(embedding, self.target), cosine(embedding, self.source(row))
        f0_hz = extract_f0(output, SPEC)
        pitch = compare_f0(clean.requested_f0, f0_hz)
        compared = clean.waveform if row.condition in ADDED else recording
        return {
            **self.hear(output, clean, row.text),
            "secs": to_target,
            "nearer": float(to_target > to_source),
            "distillmos": self.naturalness.score(speech),
            "f0_rmse": pitch.rmse_semitones,
            "voiced_both": pitch.n_both,
            "voiced_one": pitch.n_voicing,
            **measure_levels(compared, output, clean.speech),
        }


def read_clean(row: Row, yardstick: Yardstick, request: Callable[[Wave], Wave]) -> Clean:
    """Analyse the clean clip of a recording."""
    waveform = load_mono(row.clean, RATE)
    waveform = waveform[: len(waveform) // SPEC.hop_length * SPEC.hop_length]
    power = frame_power(*remove_rumble_of_each(waveform), SPEC.hop_length)
    heard = resample(waveform, RATE, JUDGE_RATE)
    return Clean(
        waveform=waveform,
        speech=find_speech(to_db(power), extract_f0(waveform, SPEC), SPEC.frame_rate),
        words=row.text or yardstick.asr.transcribe(heard, "en"),
        phones=yardstick.phones.recognise(heard),
        requested_f0=request(waveform),
    )
