"""Training end to end on synthetic speech, with tiny networks: determinism, resuming, voices."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
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
    "discriminator_widths": (4, 4, 4, 4),
    "batch_size": 2,
    "threads": 1,
    "samples": 0,
    "separates_pitch": False,  # WORLD would take most of the time here
    "prepares": False,
    "from_scratch": True,  # the pretrained networks have the default size
    "seed": 3,
}


@pytest.fixture(scope="module")
def folders(
    tmp_path_factory: pytest.TempPathFactory, make_speech: Callable[..., np.ndarray]
) -> Path:
    """Two speakers of six clips of eleven seconds, and a pool of two."""
    root = tmp_path_factory.mktemp("speakers")
    for name, f0_hz in (("low", 110.0), ("high", 210.0), ("pool/one", 130.0), ("pool/two", 190.0)):
        (root / name).mkdir(parents=True)
        for index in range(6):
            wave = make_speech(11.0, 16_000, f0_hz, seed=index)
            soundfile.write(root / name / f"{index}.wav", wave, 16_000)
    return root


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(autouse=True)
def keep_threads() -> Any:
    n_threads = torch.get_num_threads()
    yield
    torch.set_num_threads(n_threads)


def make_config(folders: Path, out: Path, **changes: Any) -> VoiceTrainingConfig:
    values = SMALL | {"a": folders / "low", "b": folders / "high", "out": out} | changes
    return VoiceTrainingConfig(**values)


def weights(run: Path) -> dict[str, torch.Tensor]:
    stored = torch.load(run / "last.ckpt", weights_only=True)
    named = {"steps_done": torch.tensor(stored["steps_done"])}
    for part in ("method", "ema"):
        named |= {f"{part}.{key}": value for key, value in stored[part].items()}
    return named


def assert_same_weights(one: Path, two: Path) -> None:
    first, second = weights(one), weights(two)
    assert first.keys() == second.keys()
    for name in first:  # raw networks, the average and the counter
        assert torch.equal(first[name], second[name]), name


def test_stopping_and_resuming_changes_nothing(folders: Path, tmp_path: Path) -> None:
    whole = train_voice(make_config(folders, tmp_path / "whole", steps=8))
    train_voice(make_config(folders, tmp_path / "parts", steps=4))
    parts = train_voice(make_config(folders, tmp_path / "parts", steps=8), resume=True)
    assert whole.n_steps == parts.n_steps == 8
    assert_same_weights(tmp_path / "whole", tmp_path / "parts")
    names = [path.name for path in whole.voices]
    assert names == ["high.safetensors", "low.safetensors"]
    for name in names:
        one, two = Voice.load(tmp_path / "whole" / name), Voice.load(tmp_path / "parts" / name)
        for key, value in one.generator.state_dict().items():
            assert torch.equal(value, two.generator.state_dict()[key])


def test_a_run_may_begin_with_the_networks_of_another(folders: Path, tmp_path: Path) -> None:
    train_voice(make_config(folders, tmp_path / "first", steps=3))
    begun = {"start": tmp_path / "first" / "last.ckpt", "cycle_a": 1.0}
    trained = train_voice(make_config(folders, tmp_path / "second", steps=4, **begun))
    assert trained.n_steps == 4
    before, after = weights(tmp_path / "first"), weights(tmp_path / "second")
    moved = [
        (before[name] - after[name]).abs().max().item()
        for name in before
        if name.startswith("method.generators") and before[name].is_floating_point()
    ]
    # one step of Adam moves no weight by more than about its rate
    assert 0 < max(moved) < 2 * VoiceTrainingConfig.model_fields["generator_lr"].default
    again = train_voice(make_config(folders, tmp_path / "second", steps=5, **begun), resume=True)
    assert again.n_steps == 5
    timed = train_voice(make_config(folders, tmp_path / "third", minutes=0.001, **begun))
    assert timed.n_steps > 3


def test_a_damaged_checkpoint_is_one_sentence(folders: Path, tmp_path: Path) -> None:
    train_voice(make_config(folders, tmp_path / "run", steps=1))
    checkpoint = tmp_path / "run" / "last.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(ValueError, match="last.ckpt: the checkpoint is damaged"):
        train_voice(make_config(folders, tmp_path / "run", steps=2), resume=True)


def test_a_killed_training_resumes_to_the_same_weights(folders: Path, tmp_path: Path) -> None:
    config = make_config(folders, tmp_path / "killed", steps=400, checkpoint_every=2)
    script = (
        "import sys, json; from voxcycle.speech.train_voice import train_voice;"
        "from voxcycle.speech.config import VoiceTrainingConfig;"
        "train_voice(VoiceTrainingConfig(**json.loads(sys.argv[1])))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, config.model_dump_json()],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    checkpoint = tmp_path / "killed" / "last.ckpt"
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL  # it had not ended by itself
    reached = int(weights(tmp_path / "killed")["steps_done"])
    assert 2 <= reached < 400 and reached % 2 == 0
    steps = reached + 3
    trained = train_voice(make_config(folders, tmp_path / "killed", steps=steps), resume=True)
    assert trained.n_steps == steps
    train_voice(make_config(folders, tmp_path / "whole", steps=steps))
    assert_same_weights(tmp_path / "whole", tmp_path / "killed")


def test_ctrl_c_ends_the_step_and_keeps_it(folders: Path, tmp_path: Path) -> None:
    out = tmp_path / "stopped"
    arguments = [sys.executable, "-m", "voxcycle", "train", "--out", str(out), "--steps", "100000"]
    arguments += ["--a", str(folders / "low"), "--b", str(folders / "high"), "width=16"]
    arguments += ["n_blocks=1", "discriminator_widths=[4, 4, 4, 4]"]
    arguments += [f"{key}={SMALL[key]}" for key in list(SMALL)[3:]]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while not process.stderr.readline().startswith("step ") and process.poll() is None:
        pass
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 130, stderr
    reached = int(weights(out)["steps_done"])
    assert 1 <= reached < 500  # no checkpoint was due
    assert f"stopped at step {reached}; --resume goes on from there" in stderr
    train_voice(make_config(folders, out, steps=reached + 2), resume=True)
    train_voice(make_config(folders, tmp_path / "whole", steps=reached + 2))
    assert_same_weights(tmp_path / "whole", out)


def test_a_pair_has_two_voices_with_each_others_statistics(folders: Path, tmp_path: Path) -> None:
    config = make_config(
        folders, tmp_path / "pair", steps=1, name_a="ann", sex_a="woman", language="nl",
        consent="both agreed",
    )  # fmt: skip
    trained = train_voice(config)
    high, ann = (Voice.load(path) for path in trained.voices)
    assert (high.card.name, ann.card.name) == ("high", "ann")
    assert (ann.card.sex, high.card.sex, ann.card.language) == ("woman", "", "nl")
    assert ann.card.consent == "both agreed"
    assert (high.card.source, ann.card.source) == ("ann", "high")
    assert high.target_stats.log_f0_mean == ann.source_stats.log_f0_mean
    # the synthetic speakers' contours circle around 110 and 210 Hz
    assert np.exp(ann.target_stats.log_f0_mean) == pytest.approx(110, rel=0.1)
    assert np.exp(high.target_stats.log_f0_mean) == pytest.approx(210, rel=0.1)
    assert not high.is_any_to_one
    split = json.loads((tmp_path / "pair" / "split.json").read_text())
    assert {len(split["a"]["low"][part]) for part in ("valid", "held_out")} == {1}
    assert len(split["a"]["low"]["train"]) == 4


def test_any_to_one_makes_one_voice_with_the_pool_as_its_source(
    folders: Path, tmp_path: Path
) -> None:
    config = make_config(
        folders, tmp_path / "any", steps=2, a=folders / "pool", any_to_one=True, name_b="target"
    )
    (path,) = train_voice(config).voices
    voice = Voice.load(path)
    assert voice.is_any_to_one and not voice.card.source
    # the prior is the geometric mean of the pool's F0
    assert np.exp(voice.source_stats.log_f0_mean) == pytest.approx((130 * 190) ** 0.5, rel=0.1)


def test_minutes_become_a_stored_number_of_steps(folders: Path, tmp_path: Path) -> None:
    trained = train_voice(make_config(folders, tmp_path / "timed", minutes=0.005))
    stored = load_config(VoiceTrainingConfig, {}, tmp_path / "timed" / "config.yaml")
    assert stored.minutes is None
    assert stored.steps == trained.n_steps >= 1
    again = train_voice(make_config(folders, tmp_path / "timed"), resume=True)
    assert again.n_steps == trained.n_steps
    timed = make_config(folders, tmp_path / "timed", minutes=3)
    assert train_voice(timed, resume=True).n_steps == trained.n_steps  # not probed again


@pytest.mark.parametrize(("alone", "expected"), [(1.0, 1), (3.0, 2)])
def test_minutes_take_one_thread_where_it_is_quicker(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: float, expected: int
) -> None:
    torch.set_num_threads(2)
    seconds = {1: alone, 2: 2.0}
    monkeypatch.setattr(
        voice_training,
        "measure_step_seconds",
        lambda config, crops, content: seconds[torch.get_num_threads()],
    )
    timed = make_config(folders, tmp_path / "timed", minutes=0.1, threads=0)
    assert train_voice(timed).n_steps == round(6 / min(alone, 2.0))
    assert torch.get_num_threads() == 2  # as before
    assert load_config(VoiceTrainingConfig, {}, timed.out / "config.yaml").threads == expected


def test_validation_draws_losses_audio_and_pictures(folders: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train_voice(make_config(folders, tmp_path / "seen", steps=2, samples=1, log_every=1))
    events = EventAccumulator(str(tmp_path / "seen" / "log"))
    events.Reload()
    scalars = set(events.Tags()["scalars"])
    assert {"generator/cycle_a", "discriminator/d_b", "valid/identity_b"} <= scalars
    assert [e.step for e in events.Scalars("generator/cycle_a")] == [1, 2]
    assert events.Tags()["audio"] == ["a to b", "b to a"]
    assert events.Tags()["images"] == ["a to b", "b to a"]


def test_the_best_weights_of_the_run_are_exported(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evaluated every step here: the voice has the best weights, the checkpoint the last."""
    from voxcycle.evaluation.score import Scored
    from voxcycle.evaluation.stats.scores import UtteranceScores
    from voxcycle.speech import selector as selection

    similarity = {"low": iter([0.5, 0.4, 0.3, 0.3]), "high": iter([0.1, 0.9, 0.2, 0.2])}

    def score(self: selection.CheckpointSelector, candidate: selection.Candidate) -> list[Scored]:
        value = next(similarity[candidate.voice.card.name])
        scores = UtteranceScores("voice", "x", "0", secs_target=value)
        return [Scored(scores, None, 16_000)]

    monkeypatch.setattr(selection, "EVALUATE_EVERY", 1)
    monkeypatch.setattr(selection, "MAX_SHARE", float("inf"))
    monkeypatch.setattr(selection.CheckpointSelector, "_score", score)
    run, plain = tmp_path / "run", {"formant_postfilter": 0.0}
    high, low = (
        Voice.load(path)
        for path in train_voice(make_config(folders, run, steps=3, samples=1, **plain)).voices
    )
    assert low.card.training["selected"]["step"] == 1
    assert high.card.training["selected"]["step"] == 2
    last = weights(run)["ema.module.g_ab.out.bias"]
    assert not torch.equal(high.generator.out.bias, last.half().float())
    # a call without evaluation exports the last weights, whatever an earlier one chose
    train_voice(make_config(folders, run, steps=3, samples=0, **plain), resume=True)
    again = Voice.load(run / "high.safetensors")
    assert "selected" not in again.card.training
    assert torch.equal(again.generator.out.bias, last.half().float())


def test_a_resumed_run_keeps_its_settings_and_its_split(folders: Path, tmp_path: Path) -> None:
    """New files in a folder, or settings that are not repeated, do not change a run."""
    for name in ("low", "high"):
        shutil.copytree(folders / name, tmp_path / name)
    own = {"a": tmp_path / "low", "b": tmp_path / "high"}
    train_voice(make_config(folders, tmp_path / "run", steps=2, cycle_a=3.0, **own))
    split = (tmp_path / "run" / "split.json").read_text()
    shutil.copy(folders / "low" / "0.wav", tmp_path / "low" / "new.wav")
    said = {"consent": "asked and agreed", "second_pass": 0.5}
    train_voice(VoiceTrainingConfig(**own, out=tmp_path / "run", steps=4, **said), resume=True)
    voice = Voice.load(tmp_path / "run" / "high.safetensors")
    assert (voice.card.consent, voice.second_pass) == ("asked and agreed", 0.5)
    assert (tmp_path / "run" / "split.json").read_text() == split
    stored = load_config(VoiceTrainingConfig, {}, tmp_path / "run" / "config.yaml")
    assert (stored.cycle_a, stored.seed, stored.steps) == (3.0, 3, 4)
    assert int(weights(tmp_path / "run")["steps_done"]) == 4
    before = (tmp_path / "run" / "config.yaml").read_text()
    with pytest.raises(
        ValueError, match="run: with the settings of this run, pretrained_share cannot be combined"
    ):
        train_voice(
            VoiceTrainingConfig(**own, out=tmp_path / "run", pretrained_share=0.5), resume=True
        )
    with pytest.raises(ValueError, match="started with cycle_a=3.0, not 4.0"):
        changed = VoiceTrainingConfig(**own, out=tmp_path / "run", cycle_a=4.0)
        train_voice(changed, resume=True)
    assert (tmp_path / "run" / "config.yaml").read_text() == before
    Path(json.loads(split)["a"]["low"]["train"][0]).unlink()
    with pytest.raises(CorpusError, match=r"\.wav: gone since the run"):
        train_voice(VoiceTrainingConfig(**own, out=tmp_path / "run"), resume=True)


def test_a_run_with_nothing_left_says_so(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    train_voice(make_config(folders, out, steps=1))
    train_voice(make_config(folders, out, formant_postfilter=0.0), resume=True)
    assert "step 1: nothing is left to train; more --steps go on" in capsys.readouterr().err


def test_a_finished_run_is_not_overwritten(folders: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no checkpoint to resume"):
        train_voice(make_config(folders, tmp_path / "run", steps=1), resume=True)
    train_voice(make_config(folders, tmp_path / "run", steps=1))
    with pytest.raises(ValueError, match="add --resume"):
        train_voice(make_config(folders, tmp_path / "run", steps=1))


def test_wrong_data_is_refused_before_anything_is_written(folders: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no such folder"):
        train_voice(make_config(folders, tmp_path / "run", steps=1, a=folders / "absent"))
    with pytest.raises(CorpusError, match="at least two subfolders"):
        train_voice(make_config(folders, tmp_path / "run", steps=1, any_to_one=True))
    assert not (tmp_path / "run").exists()


def test_what_prevents_a_start_is_reported_at_once(folders: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none.ckpt: no checkpoint to start from"):
        train_voice(make_config(folders, tmp_path / "run", steps=1, start=tmp_path / "none.ckpt"))
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="accelerator=cuda: PyTorch finds no GPU"):
            train_voice(make_config(folders, tmp_path / "run", steps=1, accelerator="cuda"))
    assert not (tmp_path / "run").exists()
