"""Training end to end on synthetic speech, with tiny networks: determinism, resuming, voices."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from voxcycle.speech import train_voice as voice_training
from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.speech.corpus import CorpusError
from voxcycle.speech.train_voice import train_voice
from voxcycle.training.config import load_config
from voxcycle.voices.voice import Voice

SMALL: dict[str, Any] = {
    "width": 16,
    "n_blocks": 1,
    "discriminator_widths": [4, 4, 4, 4],
    "batch_size": 2,
    "threads": 1,
    "samples": 0,
    "separates_pitch": False,  # WORLD would take most of the time here
    "prepares": False,
    "from_scratch": True,  # the pretrained networks have the default size
    "seed": 3,
}
pytestmark = pytest.mark.usefixtures("own_cache")


def own_folders(root):
    return {"a": root / "low", "b": root / "high"}


def make_config(folders, out, **changes):
    return VoiceTrainingConfig(**SMALL | own_folders(folders) | {"out": out} | changes)


def weights(run):
    stored = torch.load(run / "last.ckpt", weights_only=True)
    named = {"steps_done": torch.tensor(stored["steps_done"])}
    for part in ("method", "ema"):
        named |= {f"{part}.{key}": value for key, value in stored[part].items()}
    return named


def assert_same_weights(one, two):
    first, second = weights(one), weights(two)
    assert first.keys() == second.keys()
    for name in first:  # raw networks, the average and the counter
        assert torch.equal(first[name], second[name]), name


@pytest.fixture(scope="module")
def finished(folders, own_cache, tmp_path_factory):
    """A run of eight steps."""
    facts = {"name_a": "ann", "sex_a": "woman", "language": "nl", "consent": "both agreed"}
    return train_voice(make_config(folders, tmp_path_factory.mktemp("pair"), steps=8, **facts))


def test_stopping_and_resuming_changes_nothing(folders, finished, tmp_path):
    train_voice(make_config(folders, tmp_path, steps=4, name_a="ann"))
    parts = train_voice(make_config(folders, tmp_path, steps=8), resume=True)
    assert finished.n_steps == parts.n_steps == 8
    assert_same_weights(finished.voices[0].parent, tmp_path)
    assert [path.name for path in finished.voices] == ["high.safetensors", "ann.safetensors"]
    for one, two in zip(finished.voices, parts.voices, strict=True):
        resumed = Voice.load(two).generator.weights
        for key, value in Voice.load(one).generator.weights.items():
            np.testing.assert_array_equal(value, resumed[key])


def test_a_run_may_begin_with_the_networks_of_another(folders, finished, tmp_path):
    first = finished.voices[0].parent
    begun = {"start": first / "last.ckpt", "cycle_a": 1.0}
    trained = train_voice(make_config(folders, tmp_path / "second", steps=9, **begun))
    assert trained.n_steps == 9
    before, after = weights(first), weights(tmp_path / "second")
    moved = [
        (before[name] - after[name]).abs().max().item()
        for name in before
        if name.startswith("method.generators") and before[name].is_floating_point()
    ]
    # one step of Adam moves no weight by more than about its rate
    assert 0 < max(moved) < 2 * VoiceTrainingConfig.model_fields["generator_lr"].default
    again = train_voice(make_config(folders, tmp_path / "second", steps=10, **begun), resume=True)
    assert again.n_steps == 10


def test_a_finished_run_is_not_overwritten(folders, finished, tmp_path, capsys):
    copied = shutil.copytree(finished.voices[0].parent, tmp_path / "copied")
    with pytest.raises(ValueError, match="add --resume"):
        train_voice(make_config(folders, copied, steps=1))
    train_voice(VoiceTrainingConfig(**own_folders(folders), out=copied), resume=True)
    assert "step 8: nothing is left to train; more --steps go on" in capsys.readouterr().err
    checkpoint = copied / "last.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(ValueError, match="last.ckpt: the checkpoint is damaged"):
        train_voice(make_config(folders, copied, steps=9), resume=True)


def test_a_stopped_and_killed_training_resumes_to_the_same_weights(folders, tmp_path):
    """Ctrl-C ends the step and keeps it; a killed training has its last checkpoint."""
    out, own = tmp_path / "run", own_folders(folders)
    command = [sys.executable, "-m", "voxcycle", "train", "--out", str(out), "--steps", "100000"]
    command += ["--a", str(own["a"]), "--b", str(own["b"])]
    command += [f"{key}={value}" for key, value in SMALL.items()]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while not process.stderr.readline().startswith("step ") and process.poll() is None:
        pass
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 130, stderr
    stopped = int(weights(out)["steps_done"])
    assert 1 <= stopped < 500  # no checkpoint was due
    assert f"stopped at step {stopped}; --resume goes on from there" in stderr

    checkpoint = out / "last.ckpt"
    written = checkpoint.stat().st_mtime_ns
    command += ["--resume", "checkpoint_every=2"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while checkpoint.stat().st_mtime_ns == written and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL  # it had not ended by itself
    killed = int(weights(out)["steps_done"])
    assert killed > stopped and killed % 2 == 0
    n_steps = killed + 3
    assert train_voice(make_config(folders, out, steps=n_steps), resume=True).n_steps == n_steps
    train_voice(make_config(folders, tmp_path / "whole", steps=n_steps))
    assert_same_weights(tmp_path / "whole", out)


def test_a_pair_has_two_voices_with_each_others_statistics(finished):
    high, ann = (Voice.load(path) for path in finished.voices)
    assert (high.card.name, ann.card.name) == ("high", "ann")
    assert (ann.card.sex, high.card.sex, ann.card.language) == ("woman", "", "nl")
    assert ann.card.consent == "both agreed"
    assert (high.card.source, ann.card.source) == ("ann", "high")
    assert high.target_stats.log_f0_mean == ann.source_stats.log_f0_mean
    # the synthetic speakers' contours circle around 110 and 210 Hz
    assert np.exp(ann.target_stats.log_f0_mean) == pytest.approx(110, rel=0.1)
    assert np.exp(high.target_stats.log_f0_mean) == pytest.approx(210, rel=0.1)
    assert not high.is_any_to_one
    split = json.loads((finished.voices[0].parent / "split.json").read_text())
    assert {len(split["a"]["low"][part]) for part in ("valid", "held_out")} == {1}
    assert len(split["a"]["low"]["train"]) == 4


def test_any_to_one_makes_one_voice_with_the_pool_as_its_source(folders, tmp_path):
    pool = {"a": folders / "pool", "any_to_one": True, "name_b": "target"}
    (path,) = train_voice(make_config(folders, tmp_path, steps=2, **pool)).voices
    voice = Voice.load(path)
    assert voice.is_any_to_one and not voice.card.source
    # the prior is the geometric mean of the pool's F0
    assert np.exp(voice.source_stats.log_f0_mean) == pytest.approx((130 * 190) ** 0.5, rel=0.1)


def test_minutes_become_a_stored_number_of_steps(folders, finished, tmp_path):
    start = finished.voices[0].with_name("last.ckpt")
    trained = train_voice(make_config(folders, tmp_path, minutes=0.005, start=start))
    stored = load_config(VoiceTrainingConfig, {}, tmp_path / "config.yaml")
    assert stored.minutes is None
    assert stored.steps == trained.n_steps > finished.n_steps
    for settings in ({}, {"minutes": 3}):  # not probed again
        again = train_voice(make_config(folders, tmp_path, start=start, **settings), resume=True)
        assert again.n_steps == trained.n_steps


@pytest.mark.parametrize(("alone", "expected"), [(1.0, 1), (3.0, 2)])
def test_minutes_take_one_thread_if_it_is_quicker(folders, tmp_path, monkeypatch, alone, expected):
    torch.set_num_threads(2)
    seconds = {1: alone, 2: 2.0}
    monkeypatch.setattr(
        voice_training,
        "measure_step_seconds",
        lambda config, crops, teachers: seconds[torch.get_num_threads()],
    )
    timed = make_config(folders, tmp_path, minutes=0.1, threads=0)
    n_steps, n_threads = train_voice(timed).n_steps, torch.get_num_threads()
    torch.set_num_threads(1)
    assert (n_steps, n_threads) == (round(6 / min(alone, 2.0)), 2)  # threads as before
    assert load_config(VoiceTrainingConfig, {}, timed.out / "config.yaml").threads == expected


def test_the_best_weights_of_the_run_are_exported(folders, tmp_path, monkeypatch):
    """Evaluated every step here: the voice has the best weights, the checkpoint the last."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from voxcycle.evaluation.score import Scored
    from voxcycle.evaluation.stats.scores import UtteranceScores
    from voxcycle.speech import selector as selection

    similarity = {"low": iter([0.5, 0.4, 0.3, 0.3]), "high": iter([0.1, 0.9, 0.2, 0.2])}

    def score(self, candidate):
        value = next(similarity[candidate.voice.card.name])
        scores = UtteranceScores("voice", "x", "0", secs_target=value)
        return [Scored(scores, None, 16_000)]

    monkeypatch.setattr(selection, "EVALUATE_EVERY", 1)
    monkeypatch.setattr(selection, "MAX_SHARE", float("inf"))
    monkeypatch.setattr(selection.CheckpointSelector, "_score", score)
    run, plain = tmp_path / "run", {"formant_postfilter": 0.0, "log_every": 1}
    trained = train_voice(make_config(folders, run, steps=3, samples=1, **plain))
    high, low = (Voice.load(path) for path in trained.voices)
    assert low.card.training["selected"]["step"] == 1
    assert high.card.training["selected"]["step"] == 2
    last = weights(run)["ema.module.g_ab.out.bias"].half().numpy()
    assert not np.array_equal(high.generator.weights["out.bias"], last)
    events = EventAccumulator(str(run / "log"))
    events.Reload()
    scalars = set(events.Tags()["scalars"])
    assert {"generator/cycle_a", "discriminator/d_b", "valid/identity_b"} <= scalars
    assert [e.step for e in events.Scalars("generator/cycle_a")] == [1, 2, 3]
    assert events.Tags()["audio"] == ["a to b", "b to a"]
    assert events.Tags()["images"] == ["a to b", "b to a"]
    # a call without evaluation exports the last weights, whatever an earlier one chose
    train_voice(make_config(folders, run, steps=3, samples=0, **plain), resume=True)
    again = Voice.load(run / "high.safetensors")
    assert "selected" not in again.card.training
    np.testing.assert_array_equal(again.generator.weights["out.bias"], last)


def test_a_resumed_run_keeps_its_settings_and_its_split(folders, tmp_path):
    """New files in a folder, or settings that are not repeated, do not change a run."""
    for name in ("low", "high"):
        shutil.copytree(folders / name, tmp_path / name)
    run, own = tmp_path / "run", own_folders(tmp_path)

    def resume(**settings):
        train_voice(VoiceTrainingConfig(**own, out=run, **settings), resume=True)

    train_voice(make_config(folders, run, steps=2, cycle_a=3.0, **own))
    split = (run / "split.json").read_text()
    shutil.copy(folders / "low" / "0.wav", tmp_path / "low" / "new.wav")
    resume(steps=4, consent="asked and agreed", formant_postfilter=0.5)
    voice = Voice.load(run / "high.safetensors")
    assert voice.card.consent == "asked and agreed"
    assert voice.card.training["config"]["formant_postfilter"] == 0.5
    assert (run / "split.json").read_text() == split
    stored = load_config(VoiceTrainingConfig, {}, run / "config.yaml")
    assert (stored.cycle_a, stored.seed, stored.steps) == (3.0, 3, 4)
    assert int(weights(run)["steps_done"]) == 4
    before = (run / "config.yaml").read_text()
    with pytest.raises(ValueError, match="run: with the settings of this run, pretrained_share"):
        resume(pretrained_share=0.5)
    with pytest.raises(ValueError, match="started with cycle_a=3.0, not 4.0"):
        resume(cycle_a=4.0)
    assert (run / "config.yaml").read_text() == before
    Path(json.loads(split)["a"]["low"]["train"][0]).unlink()
    with pytest.raises(CorpusError, match=r"\.wav: gone since the run"):
        resume()


def test_what_prevents_a_start_is_reported_before_anything_is_written(folders, tmp_path):
    run = tmp_path / "run"

    def train(resume=False, **settings):
        train_voice(make_config(folders, run, steps=1, **settings), resume)

    with pytest.raises(ValueError, match="no checkpoint to resume"):
        train(resume=True)
    with pytest.raises(CorpusError, match="no such folder"):
        train(a=folders / "absent")
    with pytest.raises(CorpusError, match="at least two subfolders"):
        train(any_to_one=True)
    with pytest.raises(ValueError, match="none.ckpt: no checkpoint to start from"):
        train(start=tmp_path / "none.ckpt")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="accelerator=cuda: PyTorch finds no GPU"):
            train(accelerator="cuda")
    assert not run.exists()
