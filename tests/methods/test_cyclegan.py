import pytest
import torch

from voxcycle.methods.batches import Domain, PairBatch
from voxcycle.methods.cyclegan import CycleGAN, CycleGANNetworks, CycleGANWeights
from voxcycle.methods.phase import weigh
from voxcycle.models.patchgan import PatchGAN
from voxcycle.models.voice_generator import VoiceGenerator
from voxcycle.speech.crops import Crops, VoiceBatch
from voxcycle.training.state import TrainingState

ADVERSARIAL_AND_CYCLE = ("adversarial_a", "adversarial_b", "cycle_a", "cycle_b")


def make_networks(n_condition: int = 0) -> CycleGANNetworks:
    torch.manual_seed(0)

    def generator(n: int) -> VoiceGenerator:
        return VoiceGenerator(width=16, n_blocks=1, n_condition=n)

    def discriminator(n: int) -> PatchGAN:
        return PatchGAN(2, (4, 4, 4, 4), n)

    return CycleGANNetworks(
        generator(0), generator(n_condition), discriminator(n_condition), discriminator(0)
    )


def make_batch(n_condition: int = 3) -> VoiceBatch:
    torch.manual_seed(1)

    def mel() -> torch.Tensor:
        return torch.randn(2, 80, 64)

    def comb() -> torch.Tensor:
        return torch.randn(2, 81, 64)

    mask = torch.ones(2, 1, 64)
    mask[:, :, 10:20] = 0

    def half() -> Crops:
        condition, profile = torch.randn(2, n_condition), torch.ones(2, 160)
        return Crops(mel(), mel(), mel(), comb(), comb(), condition, profile, mask)

    return VoiceBatch(half(), half())


def gradient_norm(network: torch.nn.Module) -> float:
    return sum(p.grad.abs().sum().item() for p in network.parameters() if p.grad is not None)


def test_all_four_networks_get_gradients_from_adversarial_and_cycle_losses() -> None:
    method = CycleGAN(make_networks(n_condition=3))
    batch, memory = make_batch(), {}
    terms = method.generator_losses(batch, memory)
    for name in ADVERSARIAL_AND_CYCLE:
        for generator in method.generators.values():
            generator.zero_grad()
        terms[name].backward(retain_graph=True)
        if name.startswith("cycle"):  # a cycle goes through both generators
            assert all(gradient_norm(g) > 0 for g in method.generators.values()), name
        else:  # D_b scores G_ab, D_a scores G_ba
            own = "g_ab" if name == "adversarial_b" else "g_ba"
            other = "g_ba" if own == "g_ab" else "g_ab"
            assert gradient_norm(method.generators[own]) > 0, name
            assert gradient_norm(method.generators[other]) == 0, name
    for name, term in method.discriminator_losses(batch, memory).items():
        method.discriminators.zero_grad()
        term.backward(retain_graph=True)
        assert gradient_norm(method.discriminators[name]) > 0
    defaults = vars(CycleGANWeights())
    assert all(defaults[name] > 0 for name in ADVERSARIAL_AND_CYCLE)


def test_discriminators_do_not_reach_the_generators() -> None:
    method = CycleGAN(make_networks(n_condition=3))
    batch, memory = make_batch(), {}
    method.generator_losses(batch, memory)
    method.zero_grad(set_to_none=True)
    torch.stack(list(method.discriminator_losses(batch, memory).values())).sum().backward()
    assert all(p.grad is None for p in method.generators.parameters())


def test_an_identity_generator_has_the_losses_of_the_raw_batch() -> None:
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


def test_switches_change_the_input_of_the_discriminators() -> None:
    batch, memory = make_batch(), {}
    networks = make_networks(3)
    CycleGAN(networks, scores_identity=False).generator_losses(batch, memory)
    assert memory["fake_b"].shape == (2, 2, 80, 64)  # fakes alone, mel and excitation
    blind = CycleGANNetworks(
        networks.g_ab, networks.g_ba, PatchGAN(1, (4,) * 4, 3), PatchGAN(1, (4,) * 4)
    )
    CycleGAN(blind, sees_excitation=False).generator_losses(batch, memory)
    assert memory["fake_b"].shape == (4, 1, 80, 64)  # fakes and identity outputs, mel only


def test_a_term_without_a_weight_is_an_error() -> None:
    terms = {"cycle_a": torch.ones(()), "odd": torch.ones(())}
    with pytest.raises(ValueError, match="odd"):
        weigh(terms, {"cycle_a": 1.0})
    assert weigh({"cycle_a": torch.tensor(3.0)}, {"cycle_a": 2.0}).item() == 6.0


def test_a_step_moves_all_four_networks() -> None:
    module = TrainingState(CycleGAN(make_networks(3)))
    before = [p.clone() for p in module.method.parameters()]
    module.run_phases(make_batch())
    moved = [not torch.equal(p, q) for p, q in zip(before, module.method.parameters(), strict=True)]
    assert all(moved)


class Times(torch.nn.Module):
    """Multiplies: a generator, or a discriminator with known scores."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(factor))

    def forward(self, x: torch.Tensor, condition: torch.Tensor | None = None) -> torch.Tensor:
        return x * self.factor


def test_losses_on_images_by_hand() -> None:
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


def test_the_content_term_compares_sources_with_their_conversions() -> None:
    def content(source: Domain, converted: torch.Tensor, target: Domain) -> torch.Tensor:
        assert source.profile is not None
        assert target.profile is not None
        return (converted - source.real).square().mean()

    with pytest.raises(ValueError, match="needs a content loss"):
        CycleGAN(make_networks(3), CycleGANWeights(content=2.0))
    method = CycleGAN(make_networks(3), CycleGANWeights(content=2.0), content=content)
    batch = make_batch()
    terms = method.generator_losses(batch, {})
    a, b = batch.domains()
    converted = method.translate(a.source, cond=a.cond_to_other)
    expected = (converted - a.real).square().mean().item()
    assert terms["content"].item() == pytest.approx(expected, rel=1e-5)
    assert method.phases()[0].weights["content"] == 2.0
    terms["content"].backward()
    assert gradient_norm(method.generators["g_ab"]) > 0
    assert gradient_norm(method.generators["g_ba"]) == 0
    without = CycleGAN(make_networks(3))
    assert "content" not in without.generator_losses(batch, {})
    assert "content" not in without.phases()[0].weights
