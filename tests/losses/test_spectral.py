import librosa
import numpy as np
import pytest
import torch

from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.audio.stft import RESOLUTIONS, stft_magnitude
from voxcycle.losses.spectral import DifferentiableLogMel, multi_resolution_stft_loss


def noise(seed, n=8192):
    return torch.randn(1, n, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_magnitudes_are_librosas(resolution):
    waveform = noise(0)
    sizes = resolution._asdict()
    expected = np.abs(librosa.stft(waveform[0].numpy(), **sizes, pad_mode="reflect"))
    found = stft_magnitude(waveform, resolution)[0].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_the_losses_of_a_gain_and_finite_gradients_of_silence():
    real = noise(1)
    terms = multi_resolution_stft_loss(0.5 * real, real)
    assert terms["spectral_convergence"].item() == pytest.approx(0.5, abs=1e-4)
    assert terms["log_magnitude"].item() == pytest.approx(np.log(2), abs=1e-3)
    same = multi_resolution_stft_loss(real, real)
    assert all(term.item() == 0 for term in same.values())
    fake = torch.zeros(1, 4096, requires_grad=True)
    sum(multi_resolution_stft_loss(fake, noise(2, 4096)).values()).backward()
    assert torch.isfinite(fake.grad).all()


@pytest.mark.parametrize("spec", [MelSpec(), MelSpec(win_length=800, n_mels=40, f_min=60.0)])
def test_the_differentiable_log_mel_is_that_of_conversion(make_speech, spec):
    waveform = make_speech(1.0, spec.sample_rate)[:20_000]
    expected = LogMel(spec)(waveform).T
    batch = torch.from_numpy(waveform)[None].requires_grad_()
    found = DifferentiableLogMel(spec)(batch)
    # Below 80 dB under the frame's maximum, float32's own rounding shows.
    heard = expected > expected.max(axis=0) - 80 * np.log(10) / 20
    np.testing.assert_allclose(found[0].detach().numpy()[heard], expected[heard], atol=1e-3)
    found.sum().backward()
    assert torch.isfinite(batch.grad).all() and batch.grad.abs().sum() > 0
