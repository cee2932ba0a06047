"""Which weights are exported: judged on recordings that were not trained on, the best are kept."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors import safe_open

from voxcycle.data.corpus import Split
from voxcycle.evaluation.pitch import PitchErrors
from voxcycle.evaluation.scores import UtteranceScores
from voxcycle.evaluation.scoring import Scored
from voxcycle.evaluation.words import ErrorCount
from voxcycle.training import selection
from voxcycle.training.selection import (
    Contest,
    Selection,
    best_path,
    find_warnings,
    make_speaker,
    read_best,
    summarize_scored,
)


def scored(secs: float, distillmos: float) -> Scored:
    scores = UtteranceScores(
        "unit",
        "ann",
        "0",
        secs_target=secs,
        secs_source=0.5,
        characters=ErrorCount(1, 10),
        distillmos=distillmos,
        pitch=PitchErrors(10, 4, 0, 0, 4.0),
    )
    return Scored(scores, None, 16_000)


class Steps:
    """What the callback reads of a module."""

    def __init__(self) -> None:
        self.steps_done = torch.tensor(0)


class NoLogger:
    logger = None


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


def test_the_best_weights_are_kept_and_known_after_a_restart(
    speaker, voice, tmp_path: Path, monkeypatch
):
    results = {1000: 0.6, 2000: 0.9, 3000: 0.7}
    voice = replace(voice, generator=copy.deepcopy(voice.generator))
    weight = next(voice.generator.parameters())
    contest = Contest("g_ab", (speaker,), speaker, voice)

    def run(steps: list[int]) -> Selection:
        callback = Selection([contest], None, tmp_path, every=10, last=3000)
        for step in steps:
            monkeypatch.setattr(callback, "_score", lambda _, s=step: [scored(results[s], 4.0)])
            weight.data.fill_(step / 1000)
            module = Steps()
            module.steps_done += step
            callback.on_train_batch_end(NoLogger(), module)
        return callback

    run([1000, 2000])
    run([3000])  # as after --resume
    best = read_best(tmp_path, "g_ab")
    assert best["step"] == 2000
    assert best["composite"] == pytest.approx((0.9 + 0.9 + 0.75) / 3, abs=1e-4)
    with safe_open(best_path(tmp_path, "g_ab"), framework="pt") as opened:
        name = next(iter(voice.generator.state_dict()))
        assert torch.all(opened.get_tensor(name) == 2.0)
        assert json.loads(opened.metadata()["selection"]) == best


def test_no_score_between_the_rounds(speaker, voice, tmp_path: Path):
    callback = Selection([Contest("g_ab", (speaker,), speaker, voice)], None, tmp_path, 10, 2500)
    callback._score = None  # would fail if called
    module = Steps()
    for step in (10, 999, 1001, 2499):
        module.steps_done.fill_(step)
        callback.on_train_batch_end(NoLogger(), module)
    assert read_best(tmp_path, "g_ab") is None


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


def test_without_judges_pitch_and_levels_are_logged_and_nothing_is_kept(
    speaker, voice, tmp_path: Path, monkeypatch
):
    from voxcycle.audio.mel import MelSpec
    from voxcycle.vocoders.registry import load_vocoder

    monkeypatch.setattr(selection, "has_judges", lambda: False)
    logged = {}

    class Trainer:
        class logger:  # noqa: N801
            @staticmethod
            def log_metrics(values, step):
                logged.update(values)

    contest = Contest("g_ab", (speaker,), speaker, voice)
    callback = Selection([contest], load_vocoder("hifigan", MelSpec()), tmp_path, 1000, 1)
    module = Steps()
    module.steps_done.fill_(1)
    callback.on_train_batch_end(Trainer, module)
    # an untrained generator keeps the source's pitch: gross errors only, so no RMSE
    assert set(logged) == {"valid/g_ab_f0_gross_rate", "valid/g_ab_mel_mean_error"}
    assert logged["valid/g_ab_f0_gross_rate"] == 1.0 and logged["valid/g_ab_mel_mean_error"] > 0
    assert read_best(tmp_path, "g_ab") is None
