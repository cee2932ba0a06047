import math

import pytest
import torch

from voxcycle.losses.adversarial import (
    least_squares_discriminator_loss,
    least_squares_generator_loss,
    minmax_generator_loss,
    minmax_value,
    non_saturating_generator_loss,
)


def test_generator_loss_by_hand() -> None:
    # scores 1, 0, 3 are 0, 1, 2 away from "real": (0 + 1 + 4) / 3
    assert least_squares_generator_loss(torch.tensor([1.0, 0.0, 3.0])).item() == pytest.approx(
        5 / 3
    )


def test_discriminator_loss_by_hand() -> None:
    # real: (0 + 4) / 2 = 2; fake: (1 + 9) / 2 = 5; halved sum
    loss = least_squares_discriminator_loss(torch.tensor([1.0, -1.0]), torch.tensor([1.0, 3.0]))
    assert loss.item() == pytest.approx(3.5)


def test_the_best_discriminator_loses_nothing_and_a_blind_one_a_quarter() -> None:
    assert least_squares_discriminator_loss(torch.ones(4), torch.zeros(4)).item() == 0
    half = torch.full((4,), 0.5)
    assert least_squares_discriminator_loss(half, half).item() == pytest.approx(0.25)


def test_the_minmax_value_by_hand() -> None:
    # logits ln 3 and 0 are D = 3/4 and 1/2; ln(3/4) + ln(1/2) in the mean for the real ones,
    # ln(1/4) + ln(1/2) for the fakes
    scores = torch.tensor([math.log(3), 0.0])
    expected = (math.log(3 / 4) + math.log(1 / 2)) / 2 + (math.log(1 / 4) + math.log(1 / 2)) / 2
    assert minmax_value(scores, scores).item() == pytest.approx(expected, rel=1e-6)


def test_at_the_optimum_of_a_perfect_generator_the_value_is_minus_ln_4() -> None:
    """Theorem 1 of Goodfellow et al. (2014): D = 1/2 everywhere."""
    undecided = torch.zeros(5)
    assert minmax_value(undecided, undecided).item() == pytest.approx(-math.log(4))
    assert minmax_generator_loss(undecided).item() == pytest.approx(-math.log(2))
    assert non_saturating_generator_loss(undecided).item() == pytest.approx(math.log(2))


def test_the_best_discriminator_reaches_the_jensen_shannon_divergence() -> None:
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
def test_gradients_of_the_generator_losses(logit: float) -> None:
    """-D and D - 1: where D is sure that fakes are fakes, only the second one is left."""
    d = 1 / (1 + math.exp(-logit))
    for loss, expected in (
        (minmax_generator_loss, -d),
        (non_saturating_generator_loss, d - 1),
    ):
        scores = torch.tensor([logit], dtype=torch.float64, requires_grad=True)
        loss(scores).backward()
        assert scores.grad is not None
        assert scores.grad.item() == pytest.approx(expected, rel=1e-9)
    if logit == -10:
        assert d < 5e-5
