import pytest
import torch

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stft import RESOLUTIONS
from voxcycle.methods.batches import VocoderBatch
from voxcycle.methods.phase import weigh
from voxcycle.methods.vocoder_gan import VocoderGAN
from voxcycle.models.source_filter_networks import SourceFilterVocoder, SpectrogramDiscriminator

SPEC = MelSpec()


def make_batch(step=0):
    generator = torch.Generator().manual_seed(0)
    f0_hz = torch.full((2, 16), 150.0)
    return VocoderBatch(
        waveform=0.1 * torch.randn(2, 16 * SPEC.hop_length, generator=generator),
        log_mel=torch.randn(2, SPEC.n_mels, 16, generator=generator) - 5,
        spoken_f0_hz=f0_hz,
        f0_hz=f0_hz,
        sources=torch.randn(2, 3, 16 * SPEC.hop_length, generator=generator),
        step=step,
    )


def make_method(n_discriminators=3, per_step=None):
    torch.manual_seed(0)
    discriminators = [SpectrogramDiscriminator(r, width=4) for r in RESOLUTIONS[:n_discriminators]]
    network = SourceFilterVocoder(SPEC, width=8, n_blocks=2)
    return VocoderGAN(network, discriminators, SPEC, discriminators_per_step=per_step)


@pytest.mark.parametrize("n_discriminators", [0, 3])
def test_terms_and_weights_have_the_same_names(n_discriminators):
    method = make_method(n_discriminators)
    memory: dict[str, torch.Tensor] = {}
    for phase in method.phases():
        method.zero_grad()
        loss = weigh(phase.loss(make_batch(), memory), phase.weights)
        assert loss.isfinite()
    if n_discriminators:  # which learn from detached fakes
        loss.backward()
        assert all(p.grad is None for p in method.generator.parameters())
    assert len(method.phases()) == (2 if n_discriminators else 1)


def test_a_step_moves_all_and_draws_the_same_discriminators_in_both_phases(find_unmoved):
    method = make_method(per_step=2)
    for step in range(4):
        memory: dict[str, torch.Tensor] = {}
        method.zero_grad()
        batch = make_batch(step)
        for phase in method.phases():
            weigh(phase.loss(batch, memory), phase.weights).backward()
        moved = [d.out.weight.grad is not None for d in method.discriminators]
        assert sum(moved) == 2
    drawn = [tuple(map(id, method.draw(step))) for step in range(30)]
    assert drawn == [tuple(map(id, method.draw(step))) for step in range(30)]
    assert {one for pair in drawn for one in pair} == set(map(id, method.discriminators))
    assert len(make_method().draw(0)) == 3
    assert find_unmoved(make_method(), make_batch()) == []


def test_pitch_is_learned_from_what_was_spoken():
    """Not from the F0 given to the network, which is sometimes corrupted on purpose."""
    method, batch = make_method(), make_batch()
    wrong = batch._replace(f0_hz=batch.f0_hz * 2)
    spoken_otherwise = batch._replace(spoken_f0_hz=batch.f0_hz * 2)
    own = method.pitch_loss(batch).item()
    assert method.pitch_loss(wrong).item() == own
    assert method.pitch_loss(spoken_otherwise).item() != own
