import pytest
import torch

from voxcycle.losses.adversarial import (
    least_squares_discriminator_loss,
    least_squares_generator_loss,
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
