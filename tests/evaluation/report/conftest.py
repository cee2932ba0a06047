"""An evaluation with hostile names, and its page."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from voxcycle.evaluation.metrics.asr import ErrorCount
from voxcycle.evaluation.metrics.pitch import PitchErrors
from voxcycle.evaluation.report.html_report import write_page
from voxcycle.evaluation.run import Evaluation
from voxcycle.evaluation.score import Scored
from voxcycle.evaluation.stats.scores import UtteranceScores
from voxcycle.evaluation.systems import DSP_BASELINE, TARGET, UNCONVERTED, Sentence, Speaker

HOSTILE = "<script>alert('x')</script> & \"q\" \udcff"
N_PER_SPEAKER = 6
RATE = 44_100  # neither the analysis rate nor one that the pictures are made at


def make_scores(row, speaker, sentence, i):
    """Scores that differ from sentence to sentence; what row 3 and 7 lack stays empty."""
    return UtteranceScores(
        row,
        speaker,
        sentence,
        duration_s=7.5 + i,  # of which text order would put 10.5 before 7.5
        secs_target=0.9 - 0.05 * ((5 * i) % 12),
        secs_source=None if row == TARGET else 0.5,
        words=None if i == 3 else ErrorCount(i % 4, 10),
        characters=None if i == 3 else ErrorCount(i, 40),
        transcript=f"{HOSTILE} heard",
        distillmos=4.0,
        dnsmos=3.0 + i / 10,
        pitch=PitchErrors(100, 50, 5, 10, sum_square=45.0) if i != 7 else None,
        failures=(f"pitch: {HOSTILE}",) if i == 7 and row == "unit" else (),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def evaluated(folder, make_speech, voice):
    """Twelve sentences of two speakers; the second speaker has parallel recordings, stereo."""
    parallel = folder / "parallel.wav"
    speech = make_speech(0.8, 16_000, 200.0)
    soundfile.write(parallel, np.column_stack([speech, speech]), 16_000)
    speakers = []
    for name, first, text, target in (
        (HOSTILE, 0, HOSTILE, None),
        ("bea", N_PER_SPEAKER, None, parallel),
    ):
        numbers = range(first, first + N_PER_SPEAKER)
        own = (Sentence(f"s{n} {HOSTILE}", Path("unused"), text, target) for n in numbers)
        speakers.append(Speaker(name, "en", tuple(own), ()))
    sentences = [(speaker.name, s.name) for speaker in speakers for s in speaker.sentences]
    waves = {f0_hz: make_speech(0.6, RATE, f0_hz) for f0_hz in (120.0, 160.0, 210.0)}
    audio = []
    rows = {UNCONVERTED: 120.0, TARGET: 210.0, DSP_BASELINE: 160.0, "unit": 210.0}
    for row, f0_hz in rows.items():
        of_row = [("unit target", "other")] if row == TARGET else sentences
        for i, (speaker, name) in enumerate(of_row):
            audio.append(Scored(make_scores(row, speaker, name, i), waves[f0_hz], RATE))
    # Sentence 5 could not be rendered: the worst of all.
    failed = UtteranceScores("unit", *sentences[5], failures=("rendering: too <b>short</b>",))
    audio[-len(sentences) + 5] = Scored(failed, None, RATE)
    about: dict[str, Any] = {
        "voice": voice.card.name,
        "voice_sha256": "0123456789abcdef0",
        "training": {"steps": 7},
        "vocoder": "griffin-lim",
        "second_pass": 0.25,
        "target": "unit target",
        "languages": {HOSTILE: "en", "bea": "en"},
        "asr": HOSTILE,
        "date": "2026-11-22T23:56:11+00:00",
        "wall_s": 1.5,
        "cost": {"audio_s": 2.0, "real_time_factor": {"mel": 0.1, "whole": 0.1}},
        "machine": {"cpu": "abacus", "threads": 1},
    }
    return Evaluation(about, [scored.scores for scored in audio], audio), tuple(speakers)


@pytest.fixture(scope="module")
def page_path(folder, evaluated, voice):
    path = folder / "new" / "report.html"
    write_page(path, *evaluated, voice)
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]  # no partial file is left
    return path
