import pytest
import torch

from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.audio.source_signals import (
    NOISE_LEAD_FRAMES,
    noise_blocks,
    onset_phases,
    source_signals,
)
from voxcycle.audio.stft import RESOLUTIONS
from voxcycle.losses.spectral import DifferentiableLogMel
from voxcycle.models.source_filter_networks import (
    PeriodDiscriminator,
    SourceFilterVocoder,
    SpectralFrames,
    SpectrogramDiscriminator,
)

SPEC = MelSpec()
HOP = SPEC.hop_length


@pytest.fixture(scope="module")
def inputs(make_speech):
    waveform = make_speech(1.5, SPEC.sample_rate)
    waveform = waveform[: len(waveform) // HOP * HOP]
    f0_hz = extract_f0(waveform, SPEC)
    noise = noise_blocks(-NOISE_LEAD_FRAMES, NOISE_LEAD_FRAMES + len(f0_hz), SPEC)
    sources = source_signals(f0_hz, onset_phases(f0_hz, SPEC), noise, SPEC, n_sources=3)
    frames = {"log_mel": LogMel(SPEC)(waveform).T, "f0_hz": f0_hz, "sources": sources}
    return {name: torch.from_numpy(array.copy())[None] for name, array in frames.items()}


@pytest.fixture
def vocoder():
    """A small network whose weights are all in use, as after training."""
    torch.manual_seed(0)
    built = SourceFilterVocoder(SPEC, width=24, n_blocks=3, expansion=2)
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return built.eval()


@pytest.mark.parametrize(("n_fft", "hop"), [(1024, 256), (512, 128), (512, 256)])
def test_the_inverse_undoes_the_stft(n_fft, hop):
    frames = SpectralFrames(n_fft, hop)
    waveform = torch.randn(2, 20 * HOP, generator=torch.Generator().manual_seed(0))
    back = frames.synthesize(frames.analyse(waveform))
    torch.testing.assert_close(back, waveform, atol=1e-4, rtol=1e-4)


def test_untrained_noise_has_the_levels_of_the_mel(inputs):
    """The prior alone: noise through the mel's own envelope has about the mel that was given."""
    vocoder = SourceFilterVocoder(SPEC, width=8, n_blocks=1)
    torch.nn.init.zeros_(vocoder.out.weight)
    unvoiced = inputs | {"f0_hz": torch.zeros_like(inputs["f0_hz"])}
    unvoiced["sources"] = inputs["sources"] * torch.tensor([0.0, 1.0, 0.0])[:, None]
    with torch.no_grad():
        mel = DifferentiableLogMel(SPEC)(vocoder(**unvoiced))
    active = inputs["log_mel"] > inputs["log_mel"].max() - 6
    difference = (mel - inputs["log_mel"])[active]
    # magnitudes of noise vary by 0.6 nepers and average 0.12 below their RMS
    assert difference.mean().item() == pytest.approx(-0.12, abs=0.35)
    assert difference.std().item() < 1.0


def test_output_has_a_sample_per_sample_and_uses_every_input(vocoder, inputs):
    with torch.no_grad():
        whole = vocoder(**inputs)
        assert whole.shape == (1, inputs["f0_hz"].shape[1] * HOP)
        for name in ("log_mel", "f0_hz"):
            other = vocoder(**inputs | {name: inputs[name] * 0.9})
            assert not torch.allclose(other, whole, atol=1e-4), name
        for index in range(3):
            sources = inputs["sources"].clone()
            sources[:, index] *= 0.9
            assert not torch.allclose(vocoder(**inputs | {"sources": sources}), whole, atol=1e-4)


def test_noise_of_a_narrow_spread_has_the_same_power_and_fewer_peaks(inputs):
    silent = {"sources": inputs["sources"] * torch.tensor([0.0, 1.0, 0.0])[:, None]}
    spectra = []
    for spread in (1.0, 0.5):
        vocoder = SourceFilterVocoder(SPEC, width=8, n_blocks=1, noise_spread=spread)
        torch.nn.init.zeros_(vocoder.out.weight)
        level = {"log_mel": torch.full_like(inputs["log_mel"], -3.0)}
        with torch.no_grad():
            waveform = vocoder(**inputs | silent | level)[0]
        power = torch.stft(waveform, 1024, 256, window=torch.hann_window(1024), return_complex=True)
        power = power.abs().square()[20:300, 4:-4]  # whole windows, below the last band
        spectra.append(power / power.mean(1, keepdim=True))
        spectra[-1] *= waveform.square().mean()
    (before, spread), (after, narrow) = ((s.mean().item(), s.std().item()) for s in spectra)
    assert after == pytest.approx(before, rel=0.05)  # overlapping windows disagree a little
    assert spread / before == pytest.approx(1, abs=0.1)  # an exponential distribution
    assert narrow / after < 0.9


def test_every_weight_gets_a_gradient(inputs):
    torch.manual_seed(0)
    vocoder = SourceFilterVocoder(SPEC, width=8, n_blocks=2)
    vocoder(**inputs).square().sum().backward()
    voicing, log_f0 = vocoder.pitch(inputs["log_mel"])
    (voicing + log_f0).sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in vocoder.parameters())


def test_chunks_with_context_equal_the_whole(vocoder, inputs):
    context = vocoder.context_frames
    with torch.no_grad():
        whole = vocoder(**inputs)[0]
        start, stop = 40, 70
        low, high = start - context, stop + context
        assert low > 0 and high < inputs["f0_hz"].shape[1]
        chunk = vocoder(
            inputs["log_mel"][..., low:high],
            inputs["f0_hz"][:, low:high],
            inputs["sources"][..., low * HOP : high * HOP],
        )[0]
    part = chunk[context * HOP : -context * HOP]
    error = (part - whole[start * HOP : stop * HOP]).abs().max() / whole.abs().max()
    assert error < 1e-4  # -80 dB


def test_it_sees_no_further_ahead_than_it_says(vocoder, inputs):
    mel = inputs["log_mel"].clone().requires_grad_()
    frame = 60
    output = vocoder(**inputs | {"log_mel": mel})
    output[0, frame * HOP : (frame + 1) * HOP].square().sum().backward()
    touched = mel.grad[0].abs().sum(0).nonzero()[:, 0]
    # 3 frames of the network, and 2 frames whose windows reach into this one
    assert int(touched.max()) <= frame + 3 + 2
    assert int(touched.min()) >= frame - vocoder.context_frames


@pytest.mark.parametrize(
    "discriminator", [SpectrogramDiscriminator(RESOLUTIONS[0], 4), PeriodDiscriminator(3, 4)]
)
def test_discriminators_tell_a_tone_from_noise_of_its_level(discriminator):
    times = torch.arange(4000) / SPEC.sample_rate
    tone = 0.1 * torch.sin(2 * torch.pi * 440 * times)[None]  # about as loud as speech
    noise = 0.1 * torch.randn(1, 4000, generator=torch.Generator().manual_seed(0)) / 2**0.5
    optimizer = torch.optim.Adam(discriminator.parameters(), 3e-3)
    for _ in range(40):
        of_tone, of_noise = (discriminator(x)[0] for x in (tone, noise))
        loss = (of_tone - 1).square().mean() + of_noise.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert discriminator(tone)[0].mean() > 0.7 and discriminator(noise)[0].mean() < 0.3
    assert len(discriminator(tone)[1]) == 4


def test_in_bf16_phases_gains_and_f0_stay_in_float32(vocoder, inputs):
    """Weights and activations have 8 bits, but the prior, the spectra and F0 have 24."""
    with torch.no_grad():
        wanted = vocoder(**inputs)
        voicing, log_f0 = vocoder.pitch(inputs["log_mel"])
        with torch.autocast("cpu", torch.bfloat16):
            found = vocoder(**inputs)
            silent = torch.zeros(*inputs["f0_hz"].shape, 2)
            gains, offset = vocoder.respond(inputs["log_mel"], silent)
            prior = vocoder._log_envelope(inputs["log_mel"])
            heard = DifferentiableLogMel(SPEC)(wanted)
            _, log_f0_found = vocoder.pitch(inputs["log_mel"])
        assert {x.dtype for x in (found, offset, log_f0_found, *gains)} == {torch.float32}
        assert torch.equal(prior, vocoder._log_envelope(inputs["log_mel"]))
        assert torch.equal(heard, DifferentiableLogMel(SPEC)(wanted))
    error = (found - wanted).square().mean().sqrt() / wanted.square().mean().sqrt()
    assert 0 < error < 0.1
    assert 0 < (log_f0_found - log_f0).abs().max() < 0.05
