"""Training of the speaker encoder, its file, and the networks that it conditions."""

from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from voxcycle.artifacts import ArtifactError
from voxcycle.audio.mel import MelSpec
from voxcycle.methods.batches import Domain
from voxcycle.models.voice_generator import VoiceGenerator
from voxcycle.speech.clone import clone_voice
from voxcycle.speech.config import (
    PretrainedTrainingConfig,
    SpeakerEncoderConfig,
    VoiceTrainingConfig,
)
from voxcycle.speech.corpus import CorpusError
from voxcycle.speech.embedding import add_embeddings, embed_segments, load_encoder
from voxcycle.speech.features import extract_features
from voxcycle.speech.speaker_teacher import SpeakerTeacher, TorchEmbedder
from voxcycle.speech.speakers import build_speaker, draw_embedding
from voxcycle.speech.train_pretrained import start_with, train_pretrained
from voxcycle.speech.train_speaker_encoder import train_speaker_encoder
from voxcycle.speech.train_voice import train_voice
from voxcycle.voices.pretrained import Pretrained
from voxcycle.voices.voice import Voice, VoiceCard

pytestmark = pytest.mark.usefixtures("own_cache")
SPEC = MelSpec()
SMALL: dict[str, Any] = {
    "width": 16,
    "n_blocks": 1,
    "discriminator_widths": (4, 4, 4, 4),
    "spectrum_width": 8,
    "batch_size": 2,
    "threads": 1,
    "separates_pitch": False,
}


def make_config(root, out, **changes):
    values: dict[str, Any] = {
        "folders": (root / "low", root / "high"),
        "out": out,
        "steps": 4,
        "batch_size": 4,
        "width": 16,
        "n_blocks": 1,
        "n_embedding": 6,
        "threads": 1,
    }
    return SpeakerEncoderConfig(**values | changes)


@pytest.fixture(scope="module")
def encoder_path(folders, own_cache, tmp_path_factory):
    return train_speaker_encoder(make_config(folders, tmp_path_factory.mktemp("encoder")))


@pytest.fixture(scope="module")
def features(folders):
    return [extract_features(folders / "low" / f"{i}.wav", SPEC) for i in range(2)]


def test_stopping_and_resuming_changes_nothing(folders, encoder_path, tmp_path):
    train_speaker_encoder(make_config(folders, tmp_path, steps=2))
    resumed = train_speaker_encoder(make_config(folders, tmp_path), resume=True)
    one, two = load_file(encoder_path), load_file(resumed)
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_the_loss_falls_and_the_speakers_come_apart(folders, tmp_path, features):
    """After some seconds of training, two speakers an octave apart have unlike embeddings."""
    path = train_speaker_encoder(
        make_config(folders, tmp_path, steps=60, corrupted=0.0, lr=3e-3, ema_decay=0.9)
    )
    encoder = load_encoder(path)
    high = [extract_features(folders / "high" / f"{i}.wav", SPEC) for i in range(2)]
    low, other = (embed_segments(encoder, own, SPEC) for own in (features, high))
    assert (low[0] @ low[1:].T).min() > (low @ other.T).max()


def test_one_speaker_is_not_enough(folders, tmp_path):
    with pytest.raises(CorpusError, match="fewer than two"):
        train_speaker_encoder(make_config(folders, tmp_path, folders=(folders / "low",)))


def test_a_damaged_file_is_refused(encoder_path, tmp_path):
    damaged = tmp_path / "encoder.safetensors"
    content = bytearray(encoder_path.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(ArtifactError, match="encoder.safetensors"):
        load_encoder(damaged)


def test_segments_with_speech_are_embedded(encoder_path, features):
    encoder = load_encoder(encoder_path)
    found = embed_segments(encoder, features, SPEC)
    assert found.shape == (8, 6)  # by hand: two recordings of 11 s are four segments of 3 s each
    silent = features[0]._replace(speech=np.zeros_like(features[0].speech))
    assert len(embed_segments(encoder, [silent, features[1]], SPEC)) == 4


def test_pytorch_embeds_as_onnx_runtime_does(encoder_path, features):
    encoder = load_encoder(encoder_path)
    wanted = embed_segments(encoder, features, SPEC)
    found = embed_segments(TorchEmbedder(encoder), features, SPEC)
    np.testing.assert_allclose(found, wanted, atol=1e-4)  # float32, summed in other orders


def test_a_drawn_embedding_is_that_of_a_stretch(encoder_path, features):
    speaker = build_speaker("low", features, SPEC)
    rng = np.random.default_rng(0)
    assert draw_embedding(speaker, rng) is None and speaker.embedding is None
    speaker = add_embeddings(speaker, load_encoder(encoder_path), SPEC)
    assert speaker.embeddings is not None
    drawn = [draw_embedding(speaker, rng) for _ in range(50)]
    assert np.allclose([np.linalg.norm(x) for x in drawn], 1, atol=1e-5)
    assert len({x.tobytes() for x in drawn}) > 8  # single segments, and stretches of them
    nearest = max(float(speaker.embedding @ x) for x in drawn)
    assert nearest == pytest.approx(1, abs=1e-5)  # the whole is drawn, too


def test_a_wider_condition_changes_nothing_at_first():
    torch.manual_seed(0)
    narrow = VoiceGenerator(width=16, n_blocks=2, n_condition=4)
    wide = VoiceGenerator(width=16, n_blocks=2, n_condition=7)
    start_with(wide, narrow)
    mel, excitation, cond = torch.randn(1, 80, 20), torch.randn(1, 81, 20), torch.randn(1, 7)
    torch.testing.assert_close(
        wide(mel, excitation, condition=cond), narrow(mel, excitation, condition=cond[:, :4])
    )


def test_the_speaker_loss_compares_with_the_target(encoder_path, features):
    encoder = load_encoder(encoder_path)
    speaker = add_embeddings(build_speaker("low", features, SPEC), encoder, SPEC)
    stats = speaker.stats
    part = slice(100, 358)
    heard = features[0].mels[0][part].astype(np.float32)
    mel = torch.from_numpy(stats.normalize(heard).T)[None]
    speech = torch.from_numpy(features[0].speech[part].astype(np.float32))[None]
    own = torch.from_numpy(encoder.embed(heard, features[0].speech[part]))[None]
    condition = torch.cat([torch.zeros(1, 162), 8 * own], 1)
    target = Domain(mel, mel, mel, condition=condition, speech=speech)
    profile = torch.from_numpy(np.concatenate([stats.mel_mean, stats.mel_std]))[None]
    target = target._replace(profile=profile)
    teach = SpeakerTeacher(encoder, SPEC)
    assert teach(target, mel, target).item() == pytest.approx(0, abs=1e-4)
    away = target._replace(condition=torch.cat([torch.zeros(1, 162), -own], 1))
    assert teach(target, mel, away).item() == pytest.approx(2, abs=1e-4)
    with pytest.raises(ValueError, match="speech"):
        teach(target._replace(speech=None), mel, target)


@pytest.fixture(scope="module")
def pretrained_path(folders, encoder_path, tmp_path_factory):
    """Networks that the embeddings condition."""
    config = PretrainedTrainingConfig(
        folders=(folders / "pool" / "one", folders / "pool" / "two"),
        out=tmp_path_factory.mktemp("pretrained"),
        encoder=encoder_path,
        speaker=1.0,
        steps=2,
        **SMALL,
    )
    return train_pretrained(config).path


def test_networks_are_conditioned_on_the_embedding(
    folders, encoder_path, pretrained_path, tmp_path
):
    pretrained = Pretrained.load(pretrained_path)
    assert pretrained.encoder is not None and pretrained.generator.n_condition == 162 + 6
    kept, given = pretrained.encoder.weights, load_encoder(encoder_path).weights
    assert kept.keys() == given.keys()
    assert all(np.array_equal(kept[name], given[name]) for name in given)
    stats, one, two = pretrained.reference, *np.eye(6, dtype=np.float32)[:2]
    bound = [pretrained.bind(stats, x).weights for x in (one, two)]
    assert any((bound[0][name] != bound[1][name]).any() for name in bound[0])
    with pytest.raises(ValueError, match="168"):
        pretrained.bind(stats)
    path = tmp_path / "low.safetensors"
    clone_voice(folders / "low", VoiceCard("low"), path, pretrained_path, False)
    clone = Voice.load(path).generator.weights
    paths = [folders / "low" / f"{i}.wav" for i in range(6)]
    features = [extract_features(path, SPEC) for path in paths]
    speaker = add_embeddings(build_speaker("low", features, SPEC), pretrained.encoder, SPEC)
    wanted = pretrained.bind(speaker.stats, speaker.embedding).weights
    name = "blocks.0.norm.bias"  # the postfilter leaves it alone
    np.testing.assert_allclose(clone[name], wanted[name], atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("is_pool", [False, True])
def test_a_voice_starts_from_networks_with_embeddings(folders, pretrained_path, tmp_path, is_pool):
    config = VoiceTrainingConfig(
        a=folders / ("pool" if is_pool else "low"),
        b=folders / "high",
        any_to_one=is_pool,
        out=tmp_path,
        pretrained=pretrained_path,
        speaker=1.0,
        steps=1,
        samples=0,
        prepares=False,
        **SMALL,
    )
    voice = Voice.load(train_voice(config).voices[0])
    assert voice.card.training["losses"]["generator/speaker"] > 0
    assert voice.generator.arguments["n_condition"] == 0
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)["method"]
    conditions = [name for name in state if ".g_ba." in name and "condition" in name]
    assert {state[name].shape[1] for name in conditions} == ({168} if is_pool else set())


def test_another_encoder_than_the_networks_own_is_refused(folders, pretrained_path, tmp_path):
    other = train_speaker_encoder(make_config(folders, tmp_path / "other", seed=1))
    settings: dict[str, Any] = {"folders": (folders / "low", folders / "high"), "steps": 1}
    settings |= {"pretrained": pretrained_path, "encoder": other, "out": tmp_path / "run"}
    with pytest.raises(ValueError, match="not the speaker encoder of the pretrained"):
        train_pretrained(PretrainedTrainingConfig(**settings, **SMALL))
    settings |= {"encoder": None, "favourites": (folders / "pool" / "one",)}
    with pytest.raises(CorpusError, match="favourite"):
        train_pretrained(PretrainedTrainingConfig(**settings, **SMALL))
    settings |= {"pretrained": None, "favourites": (), "speaker": 1.0}
    with pytest.raises(ValueError, match="speaker=1 needs a speaker encoder"):
        train_pretrained(PretrainedTrainingConfig(**settings, **SMALL))
    assert not (tmp_path / "run").exists()
