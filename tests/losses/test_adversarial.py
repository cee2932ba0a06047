import math

import pytest
import torch

from voxcycle.losses.adversarial import (
    feature_matching_loss,
    least_squares_discriminator_loss,
    least_squares_generator_loss,
    minmax_generator_loss,
    minmax_value,
    non_saturating_generator_loss,
    path_lengths,
    r1_penalty,
)


def test_least_squares_and_feature_matching_by_hand():
    # scores 1, 0, 3 are 0, 1, 2 away from "real": (0 + 1 + 4) / 3
    generator_loss = least_squares_generator_loss(torch.tensor([1.0, 0.0, 3.0]))
    assert generator_loss.item() == pytest.approx(5 / 3)
    # real: (0 + 4) / 2 = 2; fake: (1 + 9) / 2 = 5; halved sum
    loss = least_squares_discriminator_loss(torch.tensor([1.0, -1.0]), torch.tensor([1.0, 3.0]))
    assert loss.item() == pytest.approx(3.5)
    # the best discriminator loses nothing, and a blind one a quarter
    assert least_squares_discriminator_loss(torch.ones(4), torch.zeros(4)).item() == 0
    half = torch.full((4,), 0.5)
    assert least_squares_discriminator_loss(half, half).item() == pytest.approx(0.25)
    real = [torch.zeros(2, 3), torch.ones(4)]
    fake = [torch.full((2, 3), 2.0), torch.full((4,), 2.0)]
    assert feature_matching_loss(fake, real).item() == pytest.approx((2 + 1) / 2)


def test_the_minmax_value_by_hand():
    # logits ln 3 and 0 are D = 3/4 and 1/2; ln(3/4) + ln(1/2) in the mean for the real ones,
    # ln(1/4) + ln(1/2) for the fakes
    scores = torch.tensor([math.log(3), 0.0])
    expected = (math.log(3 / 4) + math.log(1 / 2)) / 2 + (math.log(1 / 4) + math.log(1 / 2)) / 2
    assert minmax_value(scores, scores).item() == pytest.approx(expected, rel=1e-6)
    # the optimum of a perfect generator, D = 1/2 everywhere: theorem 1 of Goodfellow et al. (2014)
    undecided = torch.zeros(5)
    assert minmax_value(undecided, undecided).item() == pytest.approx(-math.log(4))
    assert minmax_generator_loss(undecided).item() == pytest.approx(-math.log(2))
    assert non_saturating_generator_loss(undecided).item() == pytest.approx(math.log(2))


def test_the_best_discriminator_reaches_the_jensen_shannon_divergence():
    """With D* = p / (p + q) the value is -ln 4 + 2 JSD(p || q), on three outcomes."""
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.1, 0.3, 0.6])
    logits = (p / q).log()
    counts = 10 * p, 10 * q  # outcomes as often as the distributions say
    real, fake = (logits.repeat_interleave(n.round().long()) for n in counts)
    middle = (p + q) / 2
    jsd = ((p * (p / middle).log()).sum() + (q * (q / middle).log()).sum()) / 2
    expected = -math.log(4) + 2 * jsd.item()
    assert minmax_value(real, fake).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("logit", [-10.0, 0.0, 3.0])
def test_gradients_of_the_generator_losses(logit):
    """-D and D - 1: where D is sure that fakes are fakes, only the second one is left."""
    d = 1 / (1 + math.exp(-logit))
    for loss, expected in ((minmax_generator_loss, -d), (non_saturating_generator_loss, d - 1)):
        scores = torch.tensor([logit], dtype=torch.float64, requires_grad=True)
        loss(scores).backward()
        assert scores.grad is not None
        assert scores.grad.item() == pytest.approx(expected, rel=1e-9)
    if logit == -10:
        assert d < 5e-5


def test_r1_of_a_linear_and_a_quadratic_discriminator():
    weight = torch.randn(3 * 8 * 8, generator=torch.Generator().manual_seed(0))
    penalty = r1_penalty(lambda x: (x.flatten(1) @ weight)[:, None] + 7, torch.randn(5, 3, 8, 8))
    assert penalty.item() == pytest.approx(weight.square().sum().item(), rel=1e-5)
    # D(x) = c |x|^2 has |grad|^2 = 4 c^2 |x|^2, whose derivative by c is 8 c |x|^2
    c = torch.tensor(0.5, requires_grad=True)
    images = torch.full((2, 1, 2, 2), 3.0)  # |x|^2 = 36
    penalty = r1_penalty(lambda x: c * x.square().sum((1, 2, 3))[:, None], images)
    assert penalty.item() == pytest.approx(4 * 0.25 * 36)
    penalty.backward()
    assert c.grad is not None
    assert c.grad.item() == pytest.approx(8 * 0.5 * 36)


def test_path_length_of_a_linear_map():
    """Images A w_l, summed over layers: J^T y is A^T y for each layer, over the root of H W."""
    generator = torch.Generator().manual_seed(1)
    matrix = torch.randn(3 * 4 * 4, 5, generator=generator)
    styles = torch.randn(6, 2, 5, generator=generator).requires_grad_()
    noise = torch.randn(6, 3, 4, 4, generator=generator)
    images = (styles.sum(1) @ matrix.T).reshape(6, 3, 4, 4)
    expected = (noise.flatten(1) @ matrix).norm(dim=1) / math.sqrt(16)
    assert torch.allclose(path_lengths(images, styles, noise), expected, rtol=1e-5)


def test_expected_path_length_of_an_orthogonal_map():
    """With A^T A = s^2 I, E |A^T y|^2 = s^2 * n_style: the map stretches all directions by s."""
    generator = torch.Generator().manual_seed(2)
    basis = torch.linalg.qr(torch.randn(48, 6, generator=generator)).Q * 2.0
    styles = torch.randn(4_000, 1, 6, generator=generator).requires_grad_()
    images = (styles[:, 0] @ basis.T).reshape(-1, 3, 4, 4)
    noise = torch.randn(4_000, 3, 4, 4, generator=generator)
    squared = path_lengths(images, styles, noise).square().mean() * 16
    assert squared.item() == pytest.approx(4.0 * 6, rel=0.05)  # 4,000 draws: 1 % deviation
