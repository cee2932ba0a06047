"""Which weights are exported: the best on recordings that no step trained on."""

import copy
import io
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from rich.console import Console
from safetensors import safe_open

from voxcycle.audio.mel import MelSpec
from voxcycle.evaluation.metrics.asr import ErrorCount
from voxcycle.evaluation.metrics.pitch import PitchErrors
from voxcycle.evaluation.score import Scored
from voxcycle.evaluation.stats.scores import UtteranceScores
from voxcycle.speech import selector as selection
from voxcycle.speech.corpus import Split
from voxcycle.speech.selector import (
    UNKNOWN,
    Candidate,
    CheckpointSelector,
    best_path,
    find_warnings,
    make_speaker,
    read_best,
    summarize_scored,
)
from voxcycle.vocoders.registry import load_vocoder

DEMO = Path(__file__).parents[2] / "recipes" / "demo.flac"


def scored(secs: float, distillmos: float) -> Scored:
    scores = UtteranceScores(
        "unit",
        "ann",
        "0",
        secs_target=secs,
        secs_source=0.5,
        characters=ErrorCount(1, 10),
        distillmos=distillmos,
        pitch=PitchErrors(n_frames=10, n_both=4, n_gross=0, n_voicing=0, sum_square=4.0),
    )
    return Scored(scores, None, 16_000)


class Steps:
    """What the callback reads of a module."""

    def __init__(self) -> None:
        self.steps_done = 0


@pytest.fixture
def speaker(tmp_path: Path, make_speech):
    for index in range(6):
        soundfile.write(tmp_path / f"{index}.wav", make_speech(6.0, 16_000, seed=index), 16_000)
    paths = [tmp_path / f"{index}.wav" for index in range(6)]
    return make_speaker("ann", Split(paths[:4], paths[4:], []), "en", tmp_path / "excerpts")


def test_excerpts_are_short_and_of_the_right_files(speaker, tmp_path: Path):
    assert [s.name for s in speaker.sentences] == ["ann-valid-0", "ann-valid-1"]
    assert len(speaker.references) == 4
    assert all(soundfile.info(s.path).duration == 4.0 for s in speaker.sentences)
    samples, _ = soundfile.read(speaker.sentences[0].path, dtype="float32")
    original, _ = soundfile.read(tmp_path / "4.wav", dtype="float32")
    np.testing.assert_allclose(samples, original[: len(samples)], atol=2 / 32768)


def step_to(step: int) -> Steps:
    module = Steps()
    module.steps_done += step
    return module


def make_selector(
    candidate: Candidate, folder: Path, vocoder=None
) -> tuple[CheckpointSelector, io.StringIO]:
    written = io.StringIO()
    return CheckpointSelector(
        [candidate], vocoder, folder, Console(file=written, width=500)
    ), written


def test_the_best_weights_are_kept_and_known_after_a_restart(
    speaker, voice, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(selection, "has_metrics", lambda: True)
    results = {2500: 0.6, 5000: 0.9, 7500: 0.7, 8000: 0.8}
    voice = replace(voice, generator=copy.deepcopy(voice.generator))
    weight = next(voice.generator.parameters())
    candidate = Candidate("g_ab", (speaker,), speaker, voice)

    def run(steps: list[int]) -> dict:
        callback, _ = make_selector(candidate, tmp_path)
        callback.started = -np.inf  # long enough ago for any round
        for step in steps:
            monkeypatch.setattr(callback, "_score", lambda _, s=step: [scored(results[s], 4.0)])
            weight.data.fill_(step / 1000)
            callback(step_to(step), None)
        return callback.choose(steps[-1])["g_ab"]

    assert run([2500, 5000])["step"] == 5000
    chosen = run([7500, 8000])  # as after --resume; the last step is off the grid
    assert chosen == read_best(tmp_path, "g_ab")
    assert chosen["step"] == 5000
    assert chosen["composite"] == pytest.approx((0.9 + 0.9 + 0.75) / 3, abs=1e-4)
    with safe_open(best_path(tmp_path, "g_ab"), framework="pt") as opened:
        name = next(iter(voice.generator.state_dict()))
        assert torch.all(opened.get_tensor(name) == 5.0)
        assert json.loads(opened.metadata()["scores"]) == chosen


def test_better_last_weights_win_this_export_alone(speaker, voice, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(selection, "has_metrics", lambda: True)
    callback, _ = make_selector(Candidate("g_ab", (speaker,), speaker, voice), tmp_path)
    monkeypatch.setattr(callback, "_score", lambda _: [scored(0.7, 4.0)])
    callback(step_to(2500), None)
    monkeypatch.setattr(callback, "_score", lambda _: [scored(0.8, 4.0)])
    assert callback.choose(3000)["g_ab"]["step"] == 3000
    # where a training stopped leaves no trace in what a longer one would choose
    assert read_best(tmp_path, "g_ab")["step"] == 2500


def test_scores_under_other_settings_are_invalid(speaker, voice, tmp_path: Path, monkeypatch):
    """In a resumed run with other post-processing the best weights are evaluated again."""
    monkeypatch.setattr(selection, "has_metrics", lambda: True)
    voice = replace(voice, generator=copy.deepcopy(voice.generator))
    bias = voice.generator.out.bias
    candidate = Candidate(
        "g_ab", (speaker,), speaker, voice, postprocessing={"formant_postfilter": 0.0}
    )
    evaluated = []

    def score(values: dict[float, float]):
        def by_bias(candidate: Candidate) -> list[Scored]:
            evaluated.append(float(candidate.voice.generator.out.bias[0]))
            return [scored(values[evaluated[-1]], 4.0)]

        return by_bias

    callback, _ = make_selector(candidate, tmp_path)
    monkeypatch.setattr(callback, "_score", score({1.0: 0.9}))
    bias.data.fill_(1.0)
    callback(step_to(2500), None)
    bias.data.fill_(2.0)
    for postprocessing, secs, n_evaluated in (
        ({"formant_postfilter": 0.0}, 0.9, 1),
        ({"formant_postfilter": 0.5}, 0.7, 2),
    ):
        again, _ = make_selector(replace(candidate, postprocessing=postprocessing), tmp_path)
        monkeypatch.setattr(again, "_score", score({1.0: 0.7, 2.0: 0.6}))
        evaluated.clear()
        chosen = again.choose(3000)["g_ab"]
        assert (chosen["step"], chosen["secs_target"]) == (2500, secs)
        assert len(evaluated) == n_evaluated
        assert float(bias[0]) == 2.0
    # where they are worse now, the last weights win
    again, _ = make_selector(
        replace(candidate, postprocessing={"formant_postfilter": 1.0}), tmp_path
    )
    monkeypatch.setattr(again, "_score", score({1.0: 0.5, 2.0: 0.6}))
    assert again.choose(3000)["g_ab"]["step"] == 3000


def test_the_best_stay_where_they_cannot_be_evaluated_again(
    speaker, voice, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(selection, "has_metrics", lambda: True)
    candidate = Candidate(
        "g_ab", (speaker,), speaker, voice, postprocessing={"formant_postfilter": 0.0}
    )
    callback, _ = make_selector(candidate, tmp_path)
    monkeypatch.setattr(callback, "_score", lambda _: [scored(0.9, 4.0)])
    callback(step_to(2500), None)
    again, written = make_selector(
        replace(candidate, postprocessing={"formant_postfilter": 0.5}), tmp_path
    )
    rounds = iter([[scored(0.1, 4.0)]])

    def score(_):
        for result in rounds:
            return result
        raise OSError("no space left")

    monkeypatch.setattr(again, "_score", score)
    again.started = -np.inf
    again(step_to(5000), None)
    assert again.is_broken
    best = read_best(tmp_path, "g_ab")
    assert (best["step"], best["secs_target"]) == (2500, 0.9)
    assert again.choose(6000) == {"g_ab": {"step": 6000}}
    assert written.getvalue().count("evaluation failed") == 1


def test_no_score_between_the_rounds(speaker, voice, tmp_path: Path):
    callback, _ = make_selector(Candidate("g_ab", (speaker,), speaker, voice), tmp_path)
    callback._score = None  # would fail if called
    for step in (1, 2499, 2501, 4999):
        callback(step_to(step), None)
    assert read_best(tmp_path, "g_ab") is None


def test_a_metric_that_fails_does_not_end_the_training(speaker, voice, tmp_path: Path, monkeypatch):
    callback, written = make_selector(Candidate("g_ab", (speaker,), speaker, voice), tmp_path)

    def fail(candidate):
        raise OSError("no space left")

    monkeypatch.setattr(callback, "_score", fail)
    for step in (2500, 5000):
        callback(step_to(step), None)
    assert callback.choose(6000) == {"g_ab": {"step": 6000}}
    assert written.getvalue().count("evaluation failed (no space left); the training goes on") == 1


def test_means_and_warnings_by_hand():
    means = summarize_scored([scored(0.4, 4.0), scored(0.5, 2.0)])
    assert means["secs_target"] == pytest.approx(0.45) and means["distillmos"] == 3.0
    assert means["cer"] == pytest.approx(0.1) and means["f0_rmse_semitones"] == 1.0
    (nearer,) = find_warnings("ben", means)
    assert nearer.startswith("ben: the output still sounds more like its source (similarity 0.50)")
    assert find_warnings("ben", means | {"secs_target": 0.8}) == []
    (lost,) = find_warnings("ben", {"cer": 0.7})
    assert "no longer hears the source's words (70% of" in lost
    failed = UtteranceScores("unit", "ann", "1", failures=("rendering: silence",))
    assert summarize_scored([Scored(failed, None, 16_000)]) == {"composite": 0.0}


def test_evaluation_pauses_while_it_took_too_much_of_the_time(
    speaker, voice, tmp_path: Path, monkeypatch
):
    callback, _ = make_selector(Candidate("g_ab", (speaker,), speaker, voice), tmp_path)
    rounds = []
    monkeypatch.setattr(callback, "evaluate", lambda candidate: rounds.append(candidate) or {})
    for seconds, n_rounds in ((4.0, 1), (6.0, 1), (4.0, 2)):  # of a hundred
        callback.started, callback.seconds = time.monotonic() - 100, seconds
        callback(step_to(2500), None)
        assert len(rounds) == n_rounds


def test_words_count_where_an_unknown_language_is_understood(speaker, voice, tmp_path: Path):
    """An English recording is; tones that only resemble speech are not."""
    demo, rate = soundfile.read(DEMO, dtype="float32")
    for index in range(3):
        soundfile.write(
            tmp_path / f"demo{index}.wav", demo[index * rate : (index + 4) * rate], rate
        )
    paths = [tmp_path / f"demo{index}.wav" for index in range(3)]
    known = make_speaker("demo", Split(paths[:1], paths[1:], []), UNKNOWN, tmp_path / "demo")
    tones = replace(speaker, language=UNKNOWN)
    candidates = [
        Candidate("g_ab", (known,), known, voice),
        Candidate("g_ba", (tones,), tones, voice),
    ]
    written = io.StringIO()
    vocoder = load_vocoder("griffin-lim", MelSpec())
    callback = CheckpointSelector(candidates, vocoder, tmp_path, Console(file=written, width=500))
    callback._try_languages()
    assert [c.sources[0].language for c in callback.candidates] == ["en", UNKNOWN]
    assert "does not understand ann: words do not count" in written.getvalue()
    assert "demo" not in written.getvalue()


def test_without_metrics_pitch_and_levels_are_logged_and_nothing_is_kept(
    speaker, voice, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(selection, "has_metrics", lambda: False)
    logged = {}

    class Writer:
        @staticmethod
        def add_scalar(name, value, step):
            logged[name] = value

    candidate = Candidate("g_ab", (speaker,), speaker, voice)
    callback, written = make_selector(candidate, tmp_path, load_vocoder("hifigan", MelSpec()))
    callback(step_to(2500), Writer)
    # an untrained generator keeps the source's pitch: gross errors only, so no RMSE
    assert set(logged) == {"valid/g_ab_f0_gross_rate", "valid/g_ab_mel_mean_error"}
    assert logged["valid/g_ab_f0_gross_rate"] == 1.0 and logged["valid/g_ab_mel_mean_error"] > 0
    assert read_best(tmp_path, "g_ab") is None
    assert callback.choose(2600)["g_ab"]["step"] == 2600
    assert "exporting the last weights without a choice" in written.getvalue()
