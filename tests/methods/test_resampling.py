import pytest
import torch

from voxcycle.methods.resampling import effective_sample_size, resampling_weights


def mixture() -> tuple[torch.Tensor, torch.Tensor]:
    """980 ordinary ones and 20 as wide about a far place of the only latent; which are rare."""
    generator = torch.Generator().manual_seed(0)
    common = torch.randn(980, generator=generator)
    rare = 8 + torch.randn(20, generator=generator)
    return torch.cat([common, rare])[:, None], torch.arange(1000) >= 980


def test_weights_by_hand() -> None:
    # bins of width 1 over 0 .. 10: three at 0, one at 10; alpha .25: 1 / (.75 + .25), 1 / .5
    latents = torch.tensor([[0.0], [0.0], [0.0], [10.0]])
    weights = resampling_weights(latents, 0.25)
    assert weights.tolist() == pytest.approx([0.2, 0.2, 0.2, 0.4])
    assert effective_sample_size(weights) == pytest.approx(1 / (3 * 0.04 + 0.16))


def test_rules_by_hand() -> None:
    """The fourth is rare in the first latent, the first in the second."""
    latents = torch.tensor([[0.0, 9.0], [0.0, 1.0], [0.0, 1.0], [10.0, 1.0]])
    # per latent, summing to 1: (.2 .2 .2 .4) and (.4 .2 .2 .2)
    largest = resampling_weights(latents, 0.25, "max")
    assert largest.tolist() == pytest.approx([1 / 3, 1 / 6, 1 / 6, 1 / 3])
    product = resampling_weights(latents, 0.25, "product")
    assert product.tolist() == pytest.approx([1 / 3, 1 / 6, 1 / 6, 1 / 3])
    twice = torch.cat([latents, latents], 1)
    assert resampling_weights(twice, 0.25, "max").tolist() == pytest.approx(largest.tolist())
    squared = torch.tensor([4.0, 1.0, 1.0, 4.0]) / 10
    assert resampling_weights(twice, 0.25, "product").tolist() == pytest.approx(squared.tolist())


@pytest.mark.parametrize("rule", ["max", "product"])
def test_the_rare_are_found_in_a_known_latent(rule: str) -> None:
    latents, is_rare = mixture()
    masses = []
    for smoothing in (1e-3, 1e-2, 1e-1, 1.0, 1e3):
        weights = resampling_weights(latents, smoothing, rule)
        assert weights.sum().item() == pytest.approx(1, abs=1e-12)
        assert weights.min() > 0
        masses.append(weights[is_rare].sum().item())
    assert masses[0] >= 0.2  # of 2 % without
    assert masses == sorted(masses, reverse=True)
    assert masses[-1] == pytest.approx(0.02, rel=0.01)


def test_the_product_over_many_latents_degenerates_and_the_maximum_does_not() -> None:
    latents = torch.randn(1000, 16, generator=torch.Generator().manual_seed(0))
    largest = effective_sample_size(resampling_weights(latents, 1e-3, "max"))
    product = effective_sample_size(resampling_weights(latents, 1e-3, "product"))
    assert largest >= 0.1 * 1000
    assert product < 0.01 * 1000


def test_an_idle_latent_changes_nothing() -> None:
    latents, _ = mixture()
    idle = torch.cat([latents, torch.zeros(1000, 1)], 1)
    alone = resampling_weights(latents, 1e-3, "product")
    assert torch.allclose(resampling_weights(idle, 1e-3, "product"), alone)
    assert resampling_weights(0 * latents, 1e-3).tolist() == pytest.approx([1e-3] * 1000)


def test_the_scale_of_a_latent_changes_nothing() -> None:
    latents, _ = mixture()
    wide = resampling_weights(100 * latents - 7, 1e-3)
    assert torch.allclose(wide, resampling_weights(latents, 1e-3))
