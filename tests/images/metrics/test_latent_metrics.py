import math

import pytest
import torch

from voxcycle.images.metrics.latent_metrics import path_length, share_taken_over, slerp


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
    length = path_length(
        lambda z: z @ matrix, features=lambda x: 2 * x, start=start, end=end, places=places
    )
    expected = (2 * (end - start) @ matrix).square().sum(1).mean()
    # differences of 1e-3 in float32 keep three to four digits
    assert length == pytest.approx(expected.item(), rel=1e-2)


def test_a_bent_path_is_longer() -> None:
    """A quarter of the unit circle has length pi / 2, its chord the root of 2."""
    start, end = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    places = torch.tensor([[0.4]])

    def stay(x: torch.Tensor) -> torch.Tensor:
        return x

    assert path_length(stay, features=stay, start=start, end=end, places=places) == pytest.approx(
        2.0, rel=1e-2
    )
    bent = path_length(stay, features=stay, start=start, end=end, places=places, interpolate=slerp)
    assert bent == pytest.approx((math.pi / 2) ** 2, rel=1e-2)


def test_what_a_swap_takes_over_by_hand() -> None:
    own = torch.tensor([[0], [0], [0], [3]])
    other = torch.tensor([[1], [1], [2], [3]])
    mixed = torch.tensor([[1], [0], [2], [5]])
    # three pairs differ, two are taken over; of the neighbours' values 3, 1, 1, 2 none is hit
    assert share_taken_over(own, other, mixed).item() == pytest.approx(2 / 3)
    # every pair differs and is hit, but of the neighbours' 1, 1, 0, 0 so are the second and fourth
    # of all four: (1 - 1/2) / (1 - 1/2)
    own, other = torch.tensor([[2], [2], [2], [2]]), torch.tensor([[1], [1], [0], [0]])
    assert share_taken_over(own, other, other).item() == pytest.approx(1)
    # three of four are hit, and of the neighbours' the second: (3/4 - 1/4) / (1 - 1/4)
    mixed = torch.tensor([[1], [1], [0], [1]])
    assert share_taken_over(own, other, mixed).item() == pytest.approx(2 / 3)


def test_whatever_has_nothing_to_do_with_the_other_is_chance() -> None:
    generator = torch.Generator().manual_seed(0)
    own, other, mixed = torch.randint(3, (3, 4_000, 1), generator=generator)
    # raw, a third of the pairs would be hit; two shares of 2,700 pairs deviate by 0.02
    assert share_taken_over(own, other, mixed).item() == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("is_broken", [False, True])
def test_a_ratio_tells_layers_apart_and_fails_where_they_do_not(is_broken: bool) -> None:
    """Eight layers draw a shape from the first and a colour from the last; or all from all."""
    w, others = torch.randn(2, 4_000, 8, generator=torch.Generator().manual_seed(0))

    def label(styles: torch.Tensor) -> torch.Tensor:
        shape, colour = styles[:, 0], styles[:, -1]
        if is_broken:
            shape, colour = styles[:, ::2].sum(1), styles[:, 1::2].sum(1)
        return torch.stack([shape, colour], 1).mul(2).round().long()

    def shares(layers: slice) -> tuple[float, float]:
        mixed = w.clone()
        mixed[:, layers] = others[:, layers]
        shape, colour = share_taken_over(label(w), label(others), label(mixed)).tolist()
        return shape, colour

    coarse, fine = shares(slice(0, 4)), shares(slice(4, 8))
    if is_broken:
        assert coarse[0] / coarse[1] == pytest.approx(1, abs=0.2)
        assert fine[1] / fine[0] == pytest.approx(1, abs=0.2)
    else:
        assert coarse == (1, 0)
        assert fine == (0, 1)


def test_layers_without_effect_fail_any_ratio() -> None:
    own, other = torch.randint(5, (2, 100, 2), generator=torch.Generator().manual_seed(0))
    assert share_taken_over(own, other, own).tolist() == [0, 0]
    assert share_taken_over(own, other, other).tolist() == [1, 1]  # a ratio of 1
