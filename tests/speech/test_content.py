"""What a recogniser hears, and the teacher that reads it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from voxcycle.artifacts import ArtifactError
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import average_stats
from voxcycle.methods.batches import Domain
from voxcycle.models.speaker_encoder import SpeakerEncoder
from voxcycle.models.whisper_encoder import WhisperEncoder
from voxcycle.speech import content, train_phonetic_decoder
from voxcycle.speech.config import (
    PhoneticDecoderConfig,
    PretrainedTrainingConfig,
    VoiceTrainingConfig,
)
from voxcycle.speech.content import find_content, hear, load_reader, recogniser_mel
from voxcycle.speech.embedding import save_encoder
from voxcycle.speech.features import Features
from voxcycle.speech.speakers import build_speaker
from voxcycle.speech.train_pretrained import train_pretrained
from voxcycle.speech.train_voice import train_voice
from voxcycle.voices.pretrained import Pretrained
from voxcycle.voices.voice import Voice

pytestmark = pytest.mark.usefixtures("own_cache")
SPEC = MelSpec()
SMALL: dict[str, Any] = {"width": 16, "n_blocks": 1, "batch_size": 2, "threads": 1}
NETWORKS = SMALL | {
    "discriminator_widths": (4, 4, 4, 4),
    "spectrum_width": 8,
    "separates_pitch": False,
}


@pytest.fixture(scope="module")
def recogniser():
    torch.manual_seed(0)
    return WhisperEncoder(width=24, n_layers=1, n_heads=2, n_positions=800).requires_grad_(False)


@pytest.fixture(autouse=True)
def _without_the_package(monkeypatch, recogniser):
    """A random recogniser stands for Whisper: what is tested does not depend on what it hears."""
    for module in (content, train_phonetic_decoder):
        monkeypatch.setattr(module, "load_recogniser", lambda: recogniser)


@pytest.fixture(scope="module")
def encoder_path(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("encoder") / "speaker_encoder.safetensors"
    save_encoder(SpeakerEncoder(80, 16, 1, 6), path, {})
    return path


def make_config(root, encoder, out, **changes):
    values = SMALL | {"folders": (root / "low", root / "high"), "out": out, "encoder": encoder}
    return PhoneticDecoderConfig(**values | {"steps": 4} | changes)


def train(config, resume=False):
    return train_phonetic_decoder.train_phonetic_decoder(config, resume)


@pytest.fixture
def decoder_path(folders, encoder_path, tmp_path):
    return train(make_config(folders, encoder_path, tmp_path / "decoder"))


def make_recording(seed, n_frames=200, n_variants=2):
    rng = np.random.default_rng(seed)
    mels = rng.normal(-4, 1.5, (n_variants, n_frames, SPEC.n_mels)).astype(np.float16)
    f0_hz = np.full(n_frames, 120.0, np.float32)
    return Features(mels, f0_hz, np.arange(n_frames) > 40)


def test_the_recognisers_mel_has_its_rate_scale_and_range():
    mel = torch.full((1, SPEC.n_mels, 96), -4.0)
    mel[0, 50, :] = 0.0
    mel[0, 60, :] = -20.0
    heard = recogniser_mel(mel, SPEC)
    assert heard.shape == (1, SPEC.n_mels, int(96 * 100 / SPEC.frame_rate))
    # From band 40 on the offset is 0.61: ln 1 = 0 is 0.61, then (x + 4) / 4.
    np.testing.assert_allclose(heard[0, 50], (0.61 + 4) / 4, atol=1e-6)
    np.testing.assert_allclose(heard[0, 60], (0.61 - 8 + 4) / 4, atol=1e-6)  # clamped
    np.testing.assert_allclose(heard[0, 70], (0.61 - 8 / np.log(10) + 4) / 4, atol=1e-6)


def test_long_recordings_are_heard_in_pieces_of_their_whole_length(recogniser, monkeypatch):
    mel = make_recording(0, 1003).mels[0]
    assert hear(recogniser, mel, SPEC).shape == (1003, 24)
    monkeypatch.setattr(content, "PIECE_FRAMES", 300)
    assert hear(recogniser, mel, SPEC).shape == (1003, 24)


def test_content_lacks_the_mean_of_the_speaker_and_knows_the_level(recogniser):
    recordings = [make_recording(0), make_recording(1)]
    recordings[1].mels[0, 100:] += np.log(10) / 2  # by 10 dB
    (one, two) = find_content(recogniser, recordings, SPEC, [[0, 1], [0, 1]])
    assert one.shape == two.shape == (2, 200, 25)
    features = [x[:, 41:, :-1].astype(np.float32) for x in (one, two)]
    plain = np.concatenate([x[0] for x in features])
    np.testing.assert_allclose(plain.mean(0), 0, atol=2e-3)
    # A perturbed reading has the mean of its own recording.
    for own in features:
        np.testing.assert_allclose(own[1].mean(0), own[0].mean(0), atol=2e-3)
    np.testing.assert_array_equal(two[0, :, -1], two[1, :, -1])
    assert two[0, 100:, -1].mean() - two[0, :100, -1].mean() == pytest.approx(1, abs=0.05)
    assert np.median(one[0, 41:, -1]) == pytest.approx(0, abs=1e-3)


def test_stopping_and_resuming_changes_nothing(folders, encoder_path, decoder_path, tmp_path):
    train(make_config(folders, encoder_path, tmp_path / "two", steps=2))
    resumed = train(make_config(folders, encoder_path, tmp_path / "two"), resume=True)
    one, two = load_file(decoder_path), load_file(resumed)
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_the_decoder_learns_to_read(folders, encoder_path, tmp_path, recogniser):
    """After some seconds of training its mels are nearer to the recording than the mean is."""
    config = make_config(
        folders, encoder_path, tmp_path, steps=150, lr=3e-3, ema_decay=0.9, n_perturbed=0
    )
    reader = load_reader(train(config))
    crops = train_phonetic_decoder.ReadingCrops
    found: list[Any] = []
    original = crops.__getitem__

    def remember(self, index):
        found.append(original(self, index))
        return found[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crops, "__getitem__", remember)
        train(make_config(folders, encoder_path, tmp_path / "again", steps=1, n_perturbed=0))
    batch = found[0]
    with torch.no_grad():
        read = reader.decoder(batch.content, batch.excitation, batch.condition)
    assert (read - batch.mel).abs().mean() < 0.8 * batch.mel.abs().mean()


def test_a_reading_costs_nothing_and_another_mel_something(folders, decoder_path, recogniser):
    reader = load_reader(decoder_path)
    recordings = [make_recording(3)]
    speaker = reader.describe(build_speaker("anna", recordings, SPEC))
    assert speaker.content is not None
    heard = torch.from_numpy(speaker.content[0].T.astype(np.float32))[None, :, :64]
    excitation, condition = torch.randn(1, 81, 64), torch.randn(1, 168)
    nothing = torch.zeros(1, 80, 64)
    source = Domain(nothing, nothing, nothing, cond_to_other=(excitation,), content=heard)
    target = Domain(nothing, nothing, nothing, condition=condition)
    read = reader.decoder(heard, excitation, condition)
    assert reader(source, read, target).item() == 0
    other = torch.zeros_like(read, requires_grad=True)
    loss = reader(source, other, target)
    assert loss.item() == pytest.approx(read.abs().mean().item(), rel=1e-5)
    loss.backward()
    assert other.grad is not None and other.grad.abs().sum() > 0
    with pytest.raises(ValueError, match="needs content"):
        reader(source._replace(content=None), read, target)


def test_a_damaged_file_is_refused(decoder_path, tmp_path):
    damaged = tmp_path / "decoder.safetensors"
    damaged.write_bytes(decoder_path.read_bytes()[:-1] + b"\x01\x02")
    with pytest.raises(ArtifactError, match="decoder.safetensors"):
        load_reader(damaged)


def test_a_pretraining_and_a_voice_listen_to_the_decoder(
    folders, encoder_path, decoder_path, tmp_path, make_speech
):
    (tmp_path / "short").mkdir()
    soundfile.write(
        tmp_path / "short" / "only.wav", make_speech(7.0, 16_000, 130.0, seed=9), 16_000
    )
    values = NETWORKS | {"parallel": 2.0, "decoder": decoder_path, "encoder": encoder_path}
    values |= {"folders": (folders / "low", folders / "high", tmp_path / "short"), "steps": 2}
    out = tmp_path / "run"
    made = Pretrained.load(
        train_pretrained(PretrainedTrainingConfig(**values, out=out, corrupted=0.5)).path
    )
    np.testing.assert_array_equal(
        made.reference.mel_mean, load_reader(decoder_path).reference.mel_mean
    )
    pool = folders / "pool" / "one"
    voice = VoiceTrainingConfig(
        **NETWORKS | {"parallel": 2.0, "decoder": decoder_path, "prepares": False, "samples": 0},
        a=pool,
        b=folders / "high",
        out=tmp_path / "voice",
        steps=2,
        pretrained=out / "pretrained.safetensors",
    )
    (path, _) = train_voice(voice).voices
    assert Voice.load(path).card.name == "high"


def test_networks_with_other_conditions_are_refused(folders, encoder_path, decoder_path, tmp_path):
    reader = load_reader(decoder_path)
    reader.require_same_reference(reference := reader.reference)
    other = replace(reference, mel_mean=reference.mel_mean + 1)
    with pytest.raises(ValueError, match="other speakers"):
        reader.require_same_reference(average_stats([reference, other]))
    with pytest.raises(ValueError, match="set `decoder`"):
        PretrainedTrainingConfig(folders=(folders / "low",), out=tmp_path, parallel=1.0)
