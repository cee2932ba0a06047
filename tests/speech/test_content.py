import numpy as np
import pytest
import torch
import torch.nn.functional as F

from voxcycle.audio.mel import MelSpec
from voxcycle.losses.content import content_loss, unit_logits
from voxcycle.methods.batches import Domain
from voxcycle.models.whisper_encoder import WhisperEncoder
from voxcycle.speech.content import ContentTeacher
from voxcycle.speech.units import (
    Units,
    cluster,
    fit_predictor,
    fit_units,
    recogniser_mel,
    remove_speaker,
)

SPEC = MelSpec()


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return WhisperEncoder(width=24, n_layers=1, n_heads=2, n_positions=60).requires_grad_(False)


def make_mels(seed, tilt):
    rng = np.random.default_rng(seed)
    colour = tilt * np.linspace(-1, 1, SPEC.n_mels)
    return [(rng.normal(-4, 1.5, (200, SPEC.n_mels)) + colour).astype(np.float32)]


@pytest.fixture
def units(encoder):
    speakers = {f"speaker{i}": make_mels(i, i - 2.5) for i in range(6)}
    units = fit_units(encoder, speakers, SPEC, n_frames=32, seed=0, n_units=8, n_directions=3)
    perturbed = {
        name: [np.stack([mel, 0.9 * mel]) for mel in own] for name, own in speakers.items()
    }
    return fit_predictor(encoder, units, perturbed, SPEC, seed=0, n_steps=60)


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


def test_directions_and_mean_are_gone():
    directions = torch.eye(5)[:2]
    features = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]])
    removed = remove_speaker(features, torch.ones(5), directions)
    np.testing.assert_allclose(removed, [[0, 0, 2, 3, 4]], atol=1e-6)


def test_clusters_are_found():
    torch.manual_seed(1)
    centres = F.normalize(torch.randn(5, 16), dim=1)
    points = centres.repeat(40, 1) + 0.01 * torch.randn(200, 16)
    found = cluster(points, 20, seed=0)  # 5 might leave two joined
    assert ((found @ centres.T).amax(0) > 0.999).all()
    np.testing.assert_allclose(found.norm(dim=1), 1, atol=1e-5)


def test_units_are_read_as_written(units, tmp_path):
    units.save(tmp_path / "units.safetensors")
    read = Units.load(tmp_path / "units.safetensors")
    assert read.n_frames == 32
    assert read.speaker_means.keys() == units.speaker_means.keys()
    features = torch.randn(2, 9, 24)
    torch.testing.assert_close(read.predictor(features), units.predictor(features))
    torch.testing.assert_close(read.centroids, units.centroids)
    np.testing.assert_allclose(units.directions @ units.directions.T, np.eye(3), atol=1e-5)
    with pytest.raises(ValueError, match="not the units"):
        Units.load(tmp_path / "nothing")


def test_the_predictor_hears_the_same_in_perturbed_speech(encoder, units):
    """It comes nearer to the units of the recording than the units of perturbed speech are."""
    mels = torch.from_numpy(np.stack([make_mels(i, i - 2.5)[0][:32].T for i in range(6)]))
    means = torch.stack([units.speaker_means[f"speaker{i}"] for i in range(6)])[:, None]
    plain, perturbed = (
        remove_speaker(encoder(recogniser_mel(x, SPEC)), means, units.directions)
        for x in (mels, 0.9 * mels)
    )
    wanted = unit_logits(plain, units.centroids)
    before = content_loss(wanted, unit_logits(perturbed, units.centroids))
    after = content_loss(wanted, units.predictor(perturbed))
    nothing = content_loss(wanted, torch.zeros_like(wanted))
    assert after < 0.8 * nothing
    assert after < before


def test_the_same_speech_costs_nothing_and_other_speech_something(encoder, units):
    teacher = ContentTeacher(encoder, units, SPEC)
    mean, std = torch.full((1, 80), -4.0), torch.full((1, 80), 1.5)
    content = torch.from_numpy(teacher.speaker_mean("speaker0", []))[None]
    mel = torch.from_numpy(make_mels(0, -2.5)[0][:32].T.copy())[None]
    domain = Domain(
        (mel - mean[..., None]) / std[..., None],
        mel,
        mel,
        profile=torch.cat([mean, std, content], 1),
    )
    assert teacher(domain, domain.real, domain).item() == pytest.approx(0, abs=1e-5)
    other = torch.randn(domain.real.shape, requires_grad=True)
    loss = teacher(domain, other, domain)
    assert loss.item() > 0.01
    loss.backward()
    assert other.grad is not None
    assert torch.isfinite(other.grad).all()
    shown = torch.ones(1, 1, 32)
    assert teacher(domain._replace(shown=shown), other, domain).item() == pytest.approx(loss.item())
    half = domain.real.clone()
    half[..., 20:] = other.detach()[..., 20:]
    shown[..., 16:] = 0  # the wrong half is one that was filled in
    wrong = teacher(domain, half, domain).item()
    assert teacher(domain._replace(shown=shown), half, domain).item() < 0.8 * wrong


def test_a_new_speakers_mean_is_heard(encoder, units):
    teacher = ContentTeacher(encoder, units, SPEC)
    known = teacher.speaker_mean("speaker1", [])
    again = teacher.speaker_mean("the same by another name", make_mels(1, -1.5))
    np.testing.assert_allclose(again, known, atol=1e-5)
