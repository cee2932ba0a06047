import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from voxcycle.losses.elbo import (
    bernoulli_negative_log_likelihood,
    importance_weighted_bound,
    kl_to_standard_normal,
    normal_log_density,
)


def test_kl_by_hand():
    # N(0, 1) from itself: 0; N(2, 1): 2^2 / 2; N(0, 4): (4 - ln 4 - 1) / 2
    mu = torch.tensor([[0.0], [2.0], [0.0]])
    log_var = torch.tensor([[0.0], [0.0], [math.log(4)]])
    expected = [0.0, 2.0, (3 - math.log(4)) / 2]
    assert kl_to_standard_normal(mu, log_var).tolist() == pytest.approx(expected, abs=1e-6)


def test_kl_and_log_density_are_those_of_torch_distributions_and_of_sampling():
    mu, log_var = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
    normal = Normal(mu, (log_var / 2).exp())
    kl = kl_to_standard_normal(mu, log_var)
    expected = kl_divergence(normal, Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(kl, expected, rtol=1e-5)
    expected = normal.log_prob(mu + 1).sum(1)
    assert torch.allclose(normal_log_density(mu + 1, mu, log_var), expected, rtol=1e-5)
    noise = torch.randn(100_000, 3, 5, generator=torch.Generator().manual_seed(1))
    z = mu + (log_var / 2).exp() * noise
    zeros = torch.zeros_like(z)
    ratio = normal_log_density(z, mu, log_var) - normal_log_density(z, zeros, zeros)
    # the standard error of 100,000 draws is below 0.5 % here
    assert torch.allclose(ratio.mean(0), kl, rtol=0.02)


def test_bernoulli_by_hand_and_the_best_logits():
    # white with p = .8, black with p = .8 of white, grey with p = .5
    logits = torch.tensor([math.log(4), math.log(4), 0.0]).reshape(1, 3, 1, 1)
    images = torch.tensor([1.0, -1.0, 0.0]).reshape(1, 3, 1, 1)
    expected = -math.log(0.8) - math.log(0.2) - math.log(0.5)
    found = bernoulli_negative_log_likelihood(logits, images)
    assert found.tolist() == pytest.approx([expected], rel=1e-6)
    # the best logits of a grey image cost its entropy
    images = torch.linspace(-0.9, 0.9, 12).reshape(1, 3, 2, 2)
    p = (images + 1) / 2
    best = bernoulli_negative_log_likelihood(p.logit(), images)
    entropy = -(p * p.log() + (1 - p) * (1 - p).log()).sum()
    assert best.item() == pytest.approx(entropy.item(), rel=1e-5)
    for shift in (-0.1, 0.1):
        assert bernoulli_negative_log_likelihood(p.logit() + shift, images).item() > best.item()


def test_bound_by_hand_and_towards_the_known_likelihood():
    # ln (e^0 + e^(ln 3)) / 2 = ln 2; one draw is its own weight
    weights = torch.tensor([[0.0], [math.log(3)]])
    assert importance_weighted_bound(weights).item() == pytest.approx(math.log(2), rel=1e-6)
    assert importance_weighted_bound(weights[1:]).item() == pytest.approx(math.log(3), rel=1e-6)
    # x | z ~ N(z, 1), z ~ N(0, 1): p(x) = N(0, 2); the proposal is the prior
    x, n = 1.0, 4_000
    truth = Normal(0.0, math.sqrt(2)).log_prob(torch.tensor(x)).item()
    generator = torch.Generator().manual_seed(0)
    found = {}
    for k in (1, 4, 64):
        z = torch.randn(k, n, generator=generator)
        found[k] = importance_weighted_bound(Normal(z, 1.0).log_prob(torch.tensor(x))).mean().item()
    # ELBO of the prior as proposal: E ln N(x; z, 1) = -ln(2 pi) / 2 - (x^2 + 1) / 2
    elbo = -0.5 * math.log(2 * math.pi) - (x**2 + 1) / 2
    assert found[1] == pytest.approx(elbo, abs=0.06)  # four standard errors
    assert found[1] < found[4] < found[64] < truth + 0.01
    assert found[64] == pytest.approx(truth, abs=0.02)
