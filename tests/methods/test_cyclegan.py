import pytest
import torch

from voxcycle.methods.batches import PairBatch
from voxcycle.methods.cyclegan import CycleGAN, CycleGANNetworks, CycleGANWeights
from voxcycle.models.patchgan import PatchGAN
from voxcycle.models.voice_generator import VoiceGenerator
from voxcycle.speech.crops import Crops, VoiceBatch

ADVERSARIAL_AND_CYCLE = ("adversarial_a", "adversarial_b", "cycle_a", "cycle_b")


def make_networks(n_condition=0):
    torch.manual_seed(0)
    g_ab, g_ba = (VoiceGenerator(width=16, n_blocks=1, n_condition=n) for n in (0, n_condition))
    d_a, d_b = (PatchGAN(2, (4, 4, 4, 4), n) for n in (n_condition, 0))
    return CycleGANNetworks(g_ab, g_ba, d_a, d_b)


def make_batch(n_condition=3):
    torch.manual_seed(1)
    mask = torch.ones(2, 1, 64)
    mask[:, :, 10:20] = 0

    def half():
        mels, combs = torch.randn(3, 2, 80, 64), torch.randn(2, 2, 81, 64)
        speaker = torch.randn(2, n_condition), torch.ones(2, 160)
        return Crops(*mels, *combs, *speaker, torch.ones(2, 5), mask, torch.ones(2, 64))

    return VoiceBatch(half(), half())


def gradient_norm(network):
    return sum(p.grad.abs().sum().item() for p in network.parameters() if p.grad is not None)


def test_every_loss_reaches_its_own_networks_alone(find_unmoved):
    method = CycleGAN(make_networks(n_condition=3))
    batch, memory = make_batch(), {}
    terms = method.generator_losses(batch, memory)
    for name in ADVERSARIAL_AND_CYCLE:
        for generator in method.generators.values():
            generator.zero_grad()
        terms[name].backward(retain_graph=True)
        # a cycle goes through both generators; D_b scores G_ab, D_a scores G_ba
        for key, generator in method.generators.items():
            is_reached = name.startswith("cycle") or key[-1] == name[-1]
            assert (gradient_norm(generator) > 0) == is_reached, (name, key)
    method.zero_grad()
    for name, term in method.discriminator_losses(batch, memory).items():
        method.discriminators.zero_grad()
        term.backward(retain_graph=True)
        assert gradient_norm(method.discriminators[name]) > 0
    assert all(p.grad is None for p in method.generators.parameters())  # fakes are detached
    defaults = vars(CycleGANWeights())
    assert all(defaults[name] > 0 for name in ADVERSARIAL_AND_CYCLE)
    assert find_unmoved(CycleGAN(make_networks(3)), make_batch()) == []


def test_an_identity_generator_has_the_losses_of_the_raw_batch():
    """With G = identity (last layer at zero), every L1 term is a plain distance of the inputs."""
    networks = make_networks(n_condition=3)
    for generator in (networks.g_ab, networks.g_ba):
        torch.nn.init.zeros_(generator.out.weight)
    batch = make_batch()
    terms = CycleGAN(networks).generator_losses(batch, {})
    distance = (batch.a.source * batch.a.mask - batch.a.real).abs().mean()
    assert terms["cycle_a"].item() == pytest.approx(distance.item(), rel=1e-5)
    distance = (batch.b.perturbed - batch.b.real).abs().mean()
    assert terms["identity_b"].item() == pytest.approx(distance.item(), rel=1e-5)


def test_switches_change_the_input_of_the_discriminators():
    batch, memory = make_batch(), {}
    networks = make_networks(3)
    CycleGAN(networks, scores_identity=False).generator_losses(batch, memory)
    assert memory["fake_b"].shape == (2, 2, 80, 64)  # fakes alone, mel and excitation
    blind = CycleGANNetworks(
        networks.g_ab, networks.g_ba, PatchGAN(1, (4,) * 4, 3), PatchGAN(1, (4,) * 4)
    )
    CycleGAN(blind, sees_excitation=False).generator_losses(batch, memory)
    assert memory["fake_b"].shape == (4, 1, 80, 64)  # fakes and identity outputs, mel only


class Times(torch.nn.Module):
    """Multiplies: a generator, or a discriminator with known scores."""

    def __init__(self, factor):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(factor))

    def forward(self, x, condition=None):
        return x * self.factor


def test_losses_on_images_by_hand():
    networks = CycleGANNetworks(Times(2.0), Times(0.25), Times(1.0), Times(3.0))
    method = CycleGAN(networks, scores_identity=False)
    batch = PairBatch(torch.full((1, 1, 2, 2), 0.5), torch.full((1, 1, 2, 2), 0.8))
    memory: dict[str, torch.Tensor] = {}
    terms = method.generator_losses(batch, memory)
    expected = {
        "adversarial_a": (1.0 * 0.2 - 1) ** 2,  # D_a on 0.25 * 0.8
        "adversarial_b": (3.0 * 1.0 - 1) ** 2,  # D_b on 2 * 0.5
        "cycle_a": 0.5 - 0.25,  # 0.25 * 2 * 0.5 against 0.5
        "cycle_b": 0.8 - 0.4,
        "identity_a": 0.5 - 0.125,
        "identity_b": 1.6 - 0.8,
    }
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(expected)
    scored = method.discriminator_losses(batch, memory)
    assert scored["d_a"].item() == pytest.approx(0.5 * ((0.5 - 1) ** 2 + 0.2**2))
    assert scored["d_b"].item() == pytest.approx(0.5 * ((2.4 - 1) ** 2 + 3.0**2))
    assert method.translate(batch.a).mean().item() == pytest.approx(1.0)
    assert method.translate(batch.b, back=True).mean().item() == pytest.approx(0.2)


def test_the_speaker_term_compares_conversions_by_a_teacher():
    def teach(source, converted, target):
        assert source.centre is not None
        assert target.condition is not None
        return (converted - source.real).square().mean()

    with pytest.raises(ValueError, match="speaker"):
        CycleGAN(make_networks(3), CycleGANWeights(speaker=2.0))
    teachers = {"speaker": teach}
    method = CycleGAN(make_networks(3), CycleGANWeights(speaker=2.0), teachers=teachers)
    batch = make_batch()
    terms = method.generator_losses(batch, {})
    a, b = batch.domains()
    to_b = method.translate(a.source, cond=a.cond_to_other)
    to_a = method.translate(b.source, back=True, cond=b.cond_to_other)
    expected = ((to_b - a.real).square().mean() + (to_a - b.real).square().mean()).item() / 2
    assert terms["speaker"].item() == pytest.approx(expected, rel=1e-5)
    assert method.phases()[0].weights["speaker"] == 2.0
    terms["speaker"].backward()
    assert all(gradient_norm(g) > 0 for g in method.generators.values())
    assert all(gradient_norm(d) == 0 for d in method.discriminators.values())
    without = CycleGAN(make_networks(3))
    assert "speaker" not in without.generator_losses(batch, {})
    assert "speaker" not in without.phases()[0].weights


def test_the_way_back_hears_the_conversion():
    heard = []

    def listen(converted, domain):
        heard.append((converted.detach(), domain))
        return 0.5 * converted

    networks, batch, memory = make_networks(3), make_batch(), {}
    method = CycleGAN(networks, listen=listen)
    terms = method.generator_losses(batch, memory)
    a, b = batch.domains()
    (fake_b, domain_b), (fake_a, domain_a) = heard
    assert domain_a.real is a.real and domain_b.real is b.real
    torch.testing.assert_close(fake_b, method.translate(a.source, cond=a.cond_to_other))
    back = method.translate(0.5 * fake_b, back=True, cond=a.cond)
    assert terms["cycle_a"].item() == pytest.approx((back - a.real).abs().mean().item(), rel=1e-5)
    back = method.translate(0.5 * fake_a, cond=b.cond)
    assert terms["cycle_b"].item() == pytest.approx((back - b.real).abs().mean().item(), rel=1e-5)


def test_the_content_term_compares_what_is_heard_of_source_and_conversion():
    def listen(converted, domain):
        return torch.cat([converted.cumsum(1), converted[:, :1]], 1)  # features and a level

    with pytest.raises(ValueError, match="listens"):
        CycleGAN(make_networks(3), CycleGANWeights(content=4.0))
    weights = CycleGANWeights(content=4.0, cycle_a=0.0, cycle_b=0.0)
    method = CycleGAN(make_networks(3), weights, listen=listen)
    batch = make_batch()
    terms = method.generator_losses(batch, {})
    a, b = batch.domains()
    to_b = method.translate(a.source, cond=a.cond_to_other)
    to_a = method.translate(b.source, back=True, cond=b.cond_to_other)
    cosines = [
        torch.cosine_similarity(made.cumsum(1), source.real.cumsum(1), dim=1).mean()
        for made, source in ((to_b, a), (to_a, b))
    ]
    assert terms["content"].item() == pytest.approx(1 - sum(cosines).item() / 2, rel=1e-5)
    assert "cycle_a" not in terms
    terms["content"].backward()
    assert all(gradient_norm(g) > 0 for g in method.generators.values())
    assert "content" not in CycleGAN(make_networks(3)).generator_losses(batch, {})


def test_terms_without_weights_are_not_computed():
    nothing = dict.fromkeys(("adversarial_a", "adversarial_b", "cycle_a", "cycle_b"), 0.0)
    method = CycleGAN(make_networks(3), CycleGANWeights(**nothing))
    (phase,) = method.phases()
    memory = {}
    terms = phase.loss(make_batch(), memory)
    assert terms.keys() == phase.weights.keys() == {"identity_a", "identity_b"}
    assert not memory
    batch = make_batch()
    batch.a.source.fill_(float("nan"))  # no conversion is made for identities alone
    again = phase.loss(batch, memory)
    assert again["identity_b"].item() == terms["identity_b"].item()
    weights = CycleGANWeights(cycle_a=0, identity_a=0, identity_b=0)
    memory = {}
    assert "identity_a" not in CycleGAN(make_networks(3), weights).generator_losses(
        make_batch(), memory
    )
    assert len(memory["fake_a"]) == 4  # identities are scored although they have no loss
    half = CycleGAN(make_networks(3), weights, scores_identity=False)
    generators, discriminators = half.phases()
    memory = {}
    terms = generators.loss(make_batch(), memory)
    assert terms.keys() == generators.weights.keys()
    assert "cycle_a" in terms and "identity_a" not in terms
    assert len(memory["fake_a"]) == 2  # of two crops: no identities are scored
    assert discriminators.loss(make_batch(), memory).keys() == {"d_a", "d_b"}
