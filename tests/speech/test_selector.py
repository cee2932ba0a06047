"""Which weights are exported: the best on recordings that no step trained on."""

import io
import json
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from rich.console import Console
from safetensors import safe_open
from safetensors.numpy import load_file

from voxcycle.audio.mel import MelSpec
from voxcycle.evaluation.metrics.asr import ErrorCount
from voxcycle.evaluation.metrics.pitch import PitchErrors
from voxcycle.evaluation.score import Scored
from voxcycle.evaluation.stats.scores import UtteranceScores
from voxcycle.speech import selector as selection
from voxcycle.speech.corpus import Split
from voxcycle.speech.networks import load_generator
from voxcycle.speech.selector import (
    UNKNOWN,
    Candidate,
    CheckpointSelector,
    best_path,
    find_warnings,
    make_speaker,
    summarize_scored,
)
from voxcycle.vocoders.registry import load_vocoder

DEMO = Path(__file__).parents[2] / "recipes" / "demo.flac"


def scored(secs, distillmos):
    pitch = PitchErrors(n_frames=10, n_both=4, n_gross=0, n_voicing=0, sum_square=4.0)
    values = {"characters": ErrorCount(1, 10), "distillmos": distillmos, "pitch": pitch}
    scores = UtteranceScores("unit", "ann", "0", secs_target=secs, secs_source=0.5, **values)
    return Scored(scores, None, 16_000)


@pytest.fixture(scope="module")
def recordings(write_clips, tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings") / "ann"
    write_clips(folder, 6, 6.0)
    return sorted(folder.iterdir())


@pytest.fixture
def speaker(recordings, tmp_path):
    return make_speaker("ann", Split(recordings[:4], recordings[4:], []), "en", tmp_path / "said")


@pytest.fixture
def candidate(speaker, voice):
    """Of a network whose weights a test may change."""
    return Candidate(
        network="g_ab",
        sources=(speaker,),
        target=speaker,
        voice=voice,
        module=load_generator(voice.generator),
        postprocessing={"formant_postfilter": 0.0},
    )


@pytest.fixture
def with_metrics(monkeypatch):
    monkeypatch.setattr(selection, "has_metrics", lambda: True)


@pytest.fixture
def make_selector(tmp_path):
    """Make a selector that scores with a function or always so, and what it prints."""

    def make(*candidates, score=None, vocoder=None):
        console = Console(file=(written := io.StringIO()), width=500)
        selector = CheckpointSelector(candidates, vocoder, tmp_path, console)
        if score is not None:
            selector._score = score if callable(score) else lambda _: [scored(score, 4.0)]
        return selector, written

    return make


def at_step(step):
    """Return what a selector reads of a training."""
    return SimpleNamespace(steps_done=step)


def read_best(folder):
    with safe_open(best_path(folder, "g_ab"), framework="pt") as opened:
        return json.loads(opened.metadata()["scores"])


def fail(candidate):
    raise OSError("no space left")


def test_excerpts_are_short_and_of_the_right_files(speaker, recordings):
    assert [s.name for s in speaker.sentences] == ["ann-valid-0", "ann-valid-1"]
    assert len(speaker.references) == 4
    assert all(soundfile.info(s.path).duration == 4.0 for s in speaker.sentences)
    samples, _ = soundfile.read(speaker.sentences[0].path, dtype="float32")
    original, _ = soundfile.read(recordings[4], dtype="float32")
    np.testing.assert_allclose(samples, original[: len(samples)], atol=2 / 32768)


def test_the_best_weights_are_known_after_a_restart(
    candidate, make_selector, tmp_path, with_metrics
):
    results = {2500: 0.6, 5000: 0.9, 7500: 0.7, 8000: 0.8}
    state = candidate.module.state_dict()
    name, weight = next(iter(state.items()))

    def run(steps):
        selector, _ = make_selector(candidate)
        selector.started = -np.inf  # long enough ago for any round
        for step in steps:
            selector._score = lambda _, s=step: [scored(results[s], 4.0)]
            weight.fill_(step / 1000)
            selector(at_step(step), None)
        return selector.choose(steps[-1])["g_ab"]

    assert run([2500, 5000])["step"] == 5000
    chosen = run([7500, 8000])  # as after --resume; the last step is off the grid
    assert chosen == read_best(tmp_path)
    assert chosen["step"] == 5000
    assert chosen["composite"] == pytest.approx((0.9 + 0.9 + 0.75) / 3, abs=1e-4)
    assert (load_file(best_path(tmp_path, "g_ab"))[name] == 5.0).all()


def test_better_last_weights_win_this_export(candidate, make_selector, tmp_path, with_metrics):
    selector, _ = make_selector(candidate, score=0.7)
    selector(at_step(2500), None)
    selector._score = lambda _: [scored(0.8, 4.0)]
    assert selector.choose(3000)["g_ab"]["step"] == 3000
    # where a training stopped leaves no trace in what a longer one would choose
    assert read_best(tmp_path)["step"] == 2500


def test_scores_under_other_settings_are_invalid(candidate, make_selector, with_metrics):
    """In a resumed run with other post-processing the best weights are evaluated again."""
    bias = candidate.module.out.bias.detach()
    evaluated = []

    def choose(postfilter, secs_by_bias):
        def score(candidate):
            evaluated.append(float(candidate.voice.generator.weights["out.bias"][0]))
            return [scored(secs_by_bias[evaluated[-1]], 4.0)]

        other = replace(candidate, postprocessing={"formant_postfilter": postfilter})
        return make_selector(other, score=score)[0].choose(3000)["g_ab"]

    selector, _ = make_selector(candidate, score=0.9)
    bias.fill_(1.0)
    selector(at_step(2500), None)
    bias.fill_(2.0)
    for postfilter, secs, n_evaluated in ((0.0, 0.9, 1), (0.5, 0.7, 2)):
        evaluated.clear()
        chosen = choose(postfilter, {1.0: 0.7, 2.0: 0.6})
        assert (chosen["step"], chosen["secs_target"]) == (2500, secs)
        assert len(evaluated) == n_evaluated
        assert float(bias[0]) == 2.0
    # where they are worse now, the last weights win
    assert choose(1.0, {1.0: 0.5, 2.0: 0.6})["step"] == 3000


def test_the_best_stay_where_they_are_not_evaluated(
    candidate, make_selector, tmp_path, with_metrics
):
    selector, _ = make_selector(candidate, score=0.9)
    selector(at_step(2500), None)
    other = replace(candidate, postprocessing={"formant_postfilter": 0.5})
    rounds = iter([[scored(0.1, 4.0)]])
    again, written = make_selector(other, score=lambda _: next(rounds, None) or fail(other))
    again.started = -np.inf
    again(at_step(5000), None)
    assert again.is_broken
    best = read_best(tmp_path)
    assert (best["step"], best["secs_target"]) == (2500, 0.9)
    assert again.choose(6000) == {"g_ab": {"step": 6000}}
    assert written.getvalue().count("evaluation failed") == 1


def test_a_metric_that_fails_does_not_end_the_training(candidate, make_selector, tmp_path):
    selector, written = make_selector(candidate, score=fail)
    for step in (1, 2499, 2501, 4999):  # between the rounds: no score
        selector(at_step(step), None)
    assert not selector.is_broken and not best_path(tmp_path, "g_ab").exists()
    for step in (2500, 5000):
        selector(at_step(step), None)
    assert selector.choose(6000) == {"g_ab": {"step": 6000}}
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


def test_evaluation_pauses_where_it_takes_too_much_time(candidate, make_selector, monkeypatch):
    selector, _ = make_selector(candidate)
    rounds = []
    monkeypatch.setattr(selector, "evaluate", lambda *evaluated: rounds.append(evaluated) or {})
    for seconds, n_rounds in ((4.0, 1), (6.0, 1), (4.0, 2)):  # of a hundred
        selector.started, selector.seconds = time.monotonic() - 100, seconds
        selector(at_step(2500), None)
        assert len(rounds) == n_rounds


def test_words_count_where_an_unknown_language_is_understood(candidate, make_selector, tmp_path):
    """An English recording is; tones that only resemble speech are not."""
    demo, rate = soundfile.read(DEMO, dtype="float32")
    paths = [tmp_path / f"demo{index}.wav" for index in range(3)]
    for index, path in enumerate(paths):
        soundfile.write(path, demo[index * rate : (index + 4) * rate], rate)
    known = make_speaker("demo", Split(paths[:1], paths[1:], []), UNKNOWN, tmp_path / "demo")
    tones = replace(candidate.target, language=UNKNOWN)
    candidates = [replace(candidate, sources=(source,)) for source in (known, tones)]
    vocoder = load_vocoder("griffin-lim", MelSpec())
    selector, written = make_selector(*candidates, vocoder=vocoder)
    selector._try_languages()
    assert [c.sources[0].language for c in selector.candidates] == ["en", UNKNOWN]
    assert "does not understand ann: words do not count" in written.getvalue()
    assert "demo" not in written.getvalue()


def test_without_metrics_nothing_is_kept(candidate, make_selector, tmp_path, monkeypatch):
    monkeypatch.setattr(selection, "has_metrics", lambda: False)
    logged = {}
    writer = SimpleNamespace(add_scalar=lambda name, value, step: logged.update({name: value}))
    vocoder = load_vocoder("hifigan", MelSpec())
    selector, written = make_selector(candidate, vocoder=vocoder)
    selector(at_step(2500), writer)
    # an untrained generator keeps the source's pitch: gross errors only, so no RMSE
    assert set(logged) == {"valid/g_ab_f0_gross_rate", "valid/g_ab_mel_mean_error"}
    assert logged["valid/g_ab_f0_gross_rate"] == 1.0 and logged["valid/g_ab_mel_mean_error"] > 0
    assert not best_path(tmp_path, "g_ab").exists()
    assert selector.choose(2600)["g_ab"]["step"] == 2600
    assert "exporting the last weights without a choice" in written.getvalue()
