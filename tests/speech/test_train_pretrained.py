"""Pretraining: networks conditioned on the speaker, and voices that start from them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from voxcycle.audio.mel import MelSpec
from voxcycle.evaluation.score import Scored
from voxcycle.evaluation.stats.scores import UtteranceScores
from voxcycle.models.voice_generator import VoiceGenerator
from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.speech.corpus import CorpusError
from voxcycle.speech.networks import (
    build_method,
    load_discriminator,
    load_generator,
    start_from_pretrained,
    store_generator,
)
from voxcycle.speech.selector import CheckpointSelector
from voxcycle.speech.speakers import Speaker
from voxcycle.speech.train_pretrained import PretrainedTrainingConfig, train_pretrained
from voxcycle.speech.train_voice import train_voice
from voxcycle.voices.pretrained import Pretrained
from voxcycle.voices.voice import Voice

SMALL: dict[str, Any] = {
    "width": 16,
    "n_blocks": 1,
    "discriminator_widths": (4, 4, 4, 4),
    "spectrum_width": 8,
    "batch_size": 2,
    "threads": 1,
    "separates_pitch": False,  # WORLD would take most of the time here
}


pytestmark = pytest.mark.usefixtures("own_cache")


def make_config(root, out, **changes):
    speakers = (root / "pool" / "one", root / "pool" / "two")
    values = SMALL | {"folders": speakers, "out": out, "steps": 4}
    return PretrainedTrainingConfig(**values | changes)


@pytest.fixture(scope="module")
def trained(folders, own_cache, tmp_path_factory):
    out = tmp_path_factory.mktemp("pretrained")
    return train_pretrained(make_config(folders, out, snapshot_every=2))


@pytest.fixture
def make_voice_config(folders, trained, tmp_path):
    """Settings of a voice that starts from the trained networks."""
    values = SMALL | {"a": folders / "pool" / "one", "b": folders / "high", "prepares": False}
    values |= {"pretrained": trained.path, "out": tmp_path / "voices", "samples": 0}
    return lambda **changes: VoiceTrainingConfig(**values | changes)


def test_one_generator_serves_both_directions_and_learns_from_both(trained):
    state = torch.load(trained.path.parent / "last.ckpt", weights_only=True)["method"]
    for name in (n for n in state if ".g_ab." in n):
        assert torch.equal(state[name], state[name.replace(".g_ab.", ".g_ba.")]), name
    early = load_file(trained.path.parent / "pretrained-2.safetensors")
    late = load_file(trained.path)
    assert trained.n_steps == 4
    # generator and discriminator are conditioned on the speaker, and both have learned from it
    cond = [name for name in late if "condition" in name]
    assert {name.split(".")[0] for name in cond} == {"generator", "discriminator"}
    assert all((early[name] != late[name]).any() for name in cond)


def test_stopping_and_resuming_changes_nothing(folders, trained, tmp_path):
    train_pretrained(make_config(folders, tmp_path / "run", steps=2))
    train_pretrained(make_config(folders, tmp_path / "run"), resume=True)
    one, two = load_file(trained.path), load_file(tmp_path / "run" / "pretrained.safetensors")
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_bound_networks_equal_the_conditional_ones(trained):
    pretrained = Pretrained.load(trained.path)
    stats = pretrained.reference
    moved = type(stats)(
        stats.mel_mean + 0.5, stats.mel_std * 1.2, stats.log_f0_mean + 0.3, stats.log_f0_std
    )
    condition, bound = pretrained.condition(moved), pretrained.bind(moved)
    assert np.abs(condition).max() > 0
    assert bound.arguments["n_condition"] == 0
    generator, discriminator = load_generator(pretrained.generator), load_discriminator(pretrained)
    drawn = torch.Generator().manual_seed(0)
    content, excitation = (torch.randn(1, n, 64, generator=drawn) for n in (385, 81))
    planes, cond = torch.randn(1, 2, 80, 64, generator=drawn), torch.from_numpy(condition)[None]
    frames = {"source": content[0].T.numpy(), "excitation": excitation[0].T.numpy()}
    with torch.no_grad():
        wanted = generator(content, excitation, condition=cond)
        torch.testing.assert_close(load_generator(bound)(content, excitation), wanted)
        # atol: PyTorch and ONNX Runtime sum in other orders
        run = torch.from_numpy(bound.run(frames)["mel"]).T[None]
        torch.testing.assert_close(run, wanted, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(discriminator.bind(cond[0])(planes), discriminator(planes, cond))
        plain = generator(content, excitation, condition=torch.zeros_like(cond))
    assert (plain - wanted).abs().max() > 1e-4


def test_a_voice_starts_from_networks_bound_to_its_speakers(trained, tmp_path, make_voice_config):
    """A run needs that very file later: another would be blended with weights foreign to it."""
    path = tmp_path / "pretrained.safetensors"
    path.write_bytes(trained.path.read_bytes())
    pretrained = Pretrained.load(path)
    config = make_voice_config(pretrained=path, steps=1, formant_postfilter=0.0)
    method = build_method(config, MelSpec(), pretrained.generator.n_condition)
    reference = pretrained.reference
    moved = replace(reference, log_f0_mean=reference.log_f0_mean + 0.3)
    a, b = (Speaker(name, [], stats, []) for name, stats in (("a", reference), ("b", moved)))
    start_from_pretrained(method, pretrained, a, b)
    for g, d, speaker in (("g_ab", "d_b", b), ("g_ba", "d_a", a)):
        condition = torch.from_numpy(pretrained.condition(speaker.stats))
        discriminator = load_discriminator(pretrained).bind(condition).state_dict()
        for key, value in method.discriminators[d].state_dict().items():
            assert torch.equal(value, discriminator[key]), key
        bound = pretrained.bind(speaker.stats)
        found = store_generator(method.generators[g])
        assert found.arguments == bound.arguments and found.weights.keys() == bound.weights.keys()
        for key, value in bound.weights.items():
            np.testing.assert_array_equal(found.weights[key], value)
    first = Voice.load(train_voice(config).voices[0])
    state = torch.load(config.out / "last.ckpt", weights_only=True)["method"]
    for key, value in pretrained.generator.weights.items():
        if "blocks" not in key:  # one step of Adam away
            step = np.abs(state[f"generators.g_ab.{key}"].numpy() - value).max()
            assert 0 < step < 2 * config.generator_lr, key
    assert first.card.training["config"]["pretrained_sha256"] == Pretrained.sha256(path)
    seconds, losses = (first.card.training[key] for key in ("seconds_of_last_call", "losses"))
    config = make_voice_config(pretrained=path, pretrained_share=0.5, formant_postfilter=0.0)
    again = Voice.load(train_voice(config, resume=True).voices[0])
    assert losses and again.card.training["losses"] == losses  # of the call that trained
    assert again.card.training["seconds_of_last_call"] == seconds
    path.write_bytes(trained.path.with_name("pretrained-2.safetensors").read_bytes())
    with pytest.raises(ValueError, match="a different pretrained file than .*pretrained.safeten"):
        train_voice(config, resume=True)


def test_a_share_of_the_pretrained_weights_stays(trained, make_voice_config, monkeypatch):
    """A voice lies between the average of the training and a clone, and is evaluated so."""
    evaluated: list[np.ndarray] = []

    def score(self, candidate):
        evaluated.append(candidate.voice.generator.weights["out.bias"])
        return [Scored(UtteranceScores("voice", "x", "0", secs_target=0.5), None, 16_000)]

    monkeypatch.setattr(CheckpointSelector, "_score", score)
    pretrained = Pretrained.load(trained.path)
    config = make_voice_config(steps=2, samples=1, pretrained_share=0.25, formant_postfilter=0.0)
    paths = train_voice(config).voices
    state = torch.load(config.out / "last.ckpt", weights_only=True)["ema"]
    for network, path, bias_evaluated in zip(("g_ab", "g_ba"), paths, evaluated[-2:], strict=True):
        voice = Voice.load(path)
        begun = pretrained.bind(voice.target_stats).weights
        trained_weights = {
            key: state[f"module.{network}.{key}"].numpy() for key in voice.generator.weights
        }
        for key, value in voice.generator.weights.items():
            blend = 0.75 * trained_weights[key] + 0.25 * begun[key].astype(np.float32)
            np.testing.assert_allclose(value, blend, atol=1e-4, rtol=1e-3)
        bias = voice.generator.weights["out.bias"]
        np.testing.assert_allclose(bias_evaluated, bias, atol=1e-4, rtol=1e-3)
        assert np.abs(trained_weights["out.bias"] - bias).max() > 1e-4
    # another share of the same weights costs no training, nor do sharper formants
    again = make_voice_config(steps=2, pretrained_share=1.0, formant_postfilter=0.5)
    clone = Voice.load(train_voice(again, resume=True).voices[0])
    begun = pretrained.bind(clone.target_stats).filter_formants(clone.target_stats, 0.5)
    for key, value in clone.generator.weights.items():
        np.testing.assert_allclose(value, begun.weights[key], atol=1e-4, rtol=1e-3)
    with pytest.raises(ValueError, match="pretrained_share cannot be combined with from_scratch"):
        make_voice_config(pretrained_share=0.5, from_scratch=True)


def test_the_networks_of_a_pool_stay_conditional(folders, trained, make_voice_config):
    pretrained = Pretrained.load(trained.path)
    config = make_voice_config(a=folders / "pool", any_to_one=True, steps=1)
    method = build_method(config, MelSpec(), pretrained.generator.n_condition)
    start_from_pretrained(method, pretrained, None, Speaker("b", [], pretrained.reference, []))
    state = method.discriminators["d_a"].state_dict()
    for key, value in pretrained.discriminator.weights.items():
        np.testing.assert_array_equal(state[key].numpy(), value)
    assert train_voice(config).n_steps == 1


def test_errors_are_one_sentence(folders, trained, tmp_path, make_voice_config):
    with pytest.raises(CorpusError, match="at least two folders"):
        train_pretrained(make_config(folders, tmp_path / "run", folders=(folders / "low",)))
    # the folders are not even looked at
    config = make_voice_config(width=24, a=folders / "nobody", steps=1)
    with pytest.raises(ValueError, match="width=16, not 24"):
        train_voice(config)
    assert not (tmp_path / "run").exists() and not config.out.exists()
    older = replace(
        Pretrained.load(trained.path),
        generator=store_generator(VoiceGenerator(width=16, n_blocks=1, n_condition=162)),
    )
    older.save(path := tmp_path / "older.safetensors")
    with pytest.raises(ValueError, match="of an older kind"):
        train_voice(make_voice_config(pretrained=path, steps=1))


def test_pretraining_continues_with_more_speakers(folders, trained, tmp_path, make_speech):
    for name, seconds, f0_hz in (("short", 7.0, 130.0), ("shorter", 4.0, 140.0)):
        (tmp_path / name).mkdir()
        wave = make_speech(seconds, 16_000, f0_hz, seed=9)
        soundfile.write(tmp_path / name / "only.wav", wave, 16_000)
    sources = [folders / "pool" / "one", folders / "pool" / "two", folders / "high"]
    sources += [tmp_path / "short", tmp_path / "shorter"]
    values = {"pretrained": trained.path, "corrupted": 0.5, "steps": 2}
    config = make_config(folders, tmp_path / "run", folders=sources, targets=sources[:2], **values)
    made = Pretrained.load(train_pretrained(config).path)
    before = Pretrained.load(trained.path)
    assert made.about["speakers"] == ["one", "two", "high", "short"]  # 4 s are too few
    np.testing.assert_array_equal(made.reference.mel_mean, before.reference.mel_mean)
    # Two steps of Adam move a weight by about twice the learning rate.
    weights = (p.generator.weights["embed.weight"].astype(np.float32) for p in (made, before))
    moved = np.subtract(*weights)
    assert 0 < np.abs(moved).max() < 3 * config.generator_lr
