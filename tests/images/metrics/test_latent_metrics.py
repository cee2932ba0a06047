import math

import numpy as np
import pytest
import torch
from sklearn.metrics import mutual_info_score

from voxcycle.images.metrics.latent_metrics import (
    entropies,
    mutual_information_gap,
    mutual_informations,
    path_length,
    share_taken_over,
    slerp,
)


def test_slerp_keeps_to_the_circle():
    start, end = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 0.5]])
    for place in (0.0, 1 / 3, 0.5, 1.0):
        angle = place * math.pi / 2
        at = slerp(start, end, torch.tensor([[place]]))
        torch.testing.assert_close(at, torch.tensor([[math.cos(angle), math.sin(angle)]]))


def test_path_length_of_a_linear_decoder_is_the_squared_distance_of_the_ends():
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


def test_a_bent_path_is_longer():
    """A quarter of the unit circle has length pi / 2, its chord the root of 2."""
    start, end = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    places = torch.tensor([[0.4]])

    def stay(x):
        return x

    assert path_length(stay, features=stay, start=start, end=end, places=places) == pytest.approx(
        2.0, rel=1e-2
    )
    bent = path_length(stay, features=stay, start=start, end=end, places=places, interpolate=slerp)
    assert bent == pytest.approx((math.pi / 2) ** 2, rel=1e-2)


def test_what_a_swap_takes_over_by_hand():
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


def test_whatever_has_nothing_to_do_with_the_other_is_chance():
    generator = torch.Generator().manual_seed(0)
    own, other, mixed = torch.randint(3, (3, 4_000, 1), generator=generator)
    # raw, a third of the pairs would be hit; two shares of 2,700 pairs deviate by 0.02
    assert share_taken_over(own, other, mixed).item() == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("is_broken", [False, True])
def test_a_ratio_tells_layers_apart_and_fails_where_they_do_not(is_broken):
    """Eight layers draw a shape from the first and a colour from the last; or all from all."""
    w, others = torch.randn(2, 4_000, 8, generator=torch.Generator().manual_seed(0))

    def label(styles):
        shape, colour = styles[:, 0], styles[:, -1]
        if is_broken:
            shape, colour = styles[:, ::2].sum(1), styles[:, 1::2].sum(1)
        return torch.stack([shape, colour], 1).mul(2).round().long()

    def shares(layers):
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


def test_layers_without_effect_fail_any_ratio():
    own, other = torch.randint(5, (2, 100, 2), generator=torch.Generator().manual_seed(0))
    assert share_taken_over(own, other, own).tolist() == [0, 0]
    assert share_taken_over(own, other, other).tolist() == [1, 1]  # a ratio of 1


@pytest.fixture
def labels():
    """Every combination of 3, 4 and 5 values, ten times."""
    grid = np.stack(np.meshgrid(np.arange(3), np.arange(4), np.arange(5), indexing="ij"), -1)
    return np.tile(grid.reshape(-1, 3), (10, 1)).astype(np.int64)


def test_a_code_that_is_the_factors_has_a_gap_of_one(labels):
    """Order, scale and sign of the latents mean nothing, nor does an idle one."""
    code = np.concatenate([labels[:, [2, 0, 1]] * [-3.0, 0.1, 7.0], np.zeros((len(labels), 1))], 1)
    assert mutual_information_gap(code, labels) == pytest.approx(1.0)


def test_a_factor_that_two_latents_tell_has_no_gap(labels):
    code = np.concatenate([labels, -labels], 1).astype(float)
    assert mutual_information_gap(code, labels) == pytest.approx(0.0)
    code = np.concatenate([labels, labels[:, :1]], 1).astype(float)  # one of three factors
    assert mutual_information_gap(code, labels) == pytest.approx(2 / 3)


def test_noise_has_almost_no_gap(labels):
    noise = np.random.default_rng(0).standard_normal((len(labels), 6))
    assert 0 <= mutual_information_gap(noise, labels) < 0.03


def test_a_rotation_of_two_factors_loses_their_gap():
    """Both latents tell as much of either factor: what a VAE without pressure is free to do."""
    grid = np.stack(np.meshgrid(np.arange(16), np.arange(16), indexing="ij"), -1).reshape(-1, 2)
    turned = grid @ np.array([[1.0, 1.0], [1.0, -1.0]])
    assert mutual_information_gap(grid.astype(float), grid) == pytest.approx(1.0)
    assert mutual_information_gap(turned, grid) < 0.05


def test_entropies_by_hand(labels):
    assert entropies(labels).tolist() == pytest.approx(np.log([3, 4, 5]).tolist())


def test_informations_are_those_of_sklearn(labels):
    rng = np.random.default_rng(1)
    codes = labels[:, :2] + rng.standard_normal((len(labels), 2))
    found = mutual_informations(codes, labels)
    assert found.shape == (2, 3)
    for j in range(2):
        edges = np.linspace(codes[:, j].min(), codes[:, j].max(), 21)
        bins = np.digitize(codes[:, j], edges[1:-1])
        for k in range(3):
            assert found[j, k] == pytest.approx(mutual_info_score(bins, labels[:, k]), abs=1e-9)
