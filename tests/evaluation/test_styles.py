import math

import pytest
import torch

from voxcycle.evaluation.styles import path_length, share_taken_over, slerp


def test_slerp_keeps_to_the_circle() -> None:
    start, end = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 0.5]])
    for place in (0.0, 1 / 3, 0.5, 1.0):
        angle = place * math.pi / 2
        at = slerp(start, end, torch.tensor([[place]]))
        torch.testing.assert_close(at, torch.tensor([[math.cos(angle), math.sin(angle)]]))


def test_path_length_of_a_linear_decoder_is_the_squared_distance_of_the_ends() -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(4, 6, generator=generator)
    start, end = torch.randn(2, 300, 4, generator=generator)
    places = torch.rand(300, 1, generator=generator)
    length = path_length(lambda z: z @ matrix, lambda x: 2 * x, start, end, places)
    expected = (2 * (end - start) @ matrix).square().sum(1).mean()
    # differences of 1e-3 in float32 keep three to four digits
    assert length == pytest.approx(expected.item(), rel=1e-2)


def test_a_bent_path_is_longer() -> None:
    """A quarter of the unit circle has length pi / 2, its chord the root of 2."""
    start, end = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    places = torch.tensor([[0.4]])

    def stay(x: torch.Tensor) -> torch.Tensor:
        return x

    assert path_length(stay, stay, start, end, places) == pytest.approx(2.0, rel=1e-2)
    bent = path_length(stay, stay, start, end, places, slerp)
    assert bent == pytest.approx((math.pi / 2) ** 2, rel=1e-2)


def test_what_a_swap_takes_over_by_hand() -> None:
    own = torch.tensor([[0, 0], [0, 1], [0, 2], [3, 2]])
    other = torch.tensor([[1, 1], [1, 1], [1, 0], [3, 0]])
    mixed = torch.tensor([[1, 0], [0, 1], [1, 0], [5, 1]])
    # first factor: three pairs differ, two are taken over; second: three differ, one is
    assert share_taken_over(own, other, mixed).tolist() == pytest.approx([2 / 3, 1 / 3])


def test_layers_without_effect_fail_any_ratio() -> None:
    """The gates are ratios of shares: without any swap they are 0 / 0, which reaches no bound."""
    own, other = torch.randint(5, (2, 100, 2), generator=torch.Generator().manual_seed(0))
    none = share_taken_over(own, other, own)
    assert none.tolist() == [0, 0]
    assert not bool(none[0] / none[1] >= 1.5)
    all_of_it = share_taken_over(own, other, other)
    assert all_of_it.tolist() == [1, 1]  # a ratio of 1
