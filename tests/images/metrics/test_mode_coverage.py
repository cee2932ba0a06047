import math

import pytest
import torch

from voxcycle.images.metrics.mode_coverage import cover_modes
from voxcycle.images.systems.gan_ring import RingBatches, ring_centres

CENTRES = torch.tensor([[0.0, 0.0], [10.0, 0.0]])


def test_by_hand():
    # with deviation 1, radius 3: two points belong to the first cluster, one to the second; one
    # lies between, one just outside
    points = torch.tensor([[0.0, 0.0], [0.0, 2.9], [9.0, 1.0], [5.0, 0.0], [0.0, 3.1]])
    coverage = cover_modes(points, CENTRES, 1.0)
    assert coverage.n_modes == 2
    assert coverage.near == pytest.approx(3 / 5)
    assert coverage.rarest == pytest.approx(1 / 5)


def test_a_cluster_that_is_hardly_drawn_is_missing():
    # a tenth of an equal share of two clusters is one in twenty
    for n_second, n_modes in ((4, 1), (5, 2)):
        points = torch.cat([CENTRES[:1].repeat(100 - n_second, 1), CENTRES[1:].repeat(n_second, 1)])
        assert cover_modes(points, CENTRES, 1.0).n_modes == n_modes


def test_the_data_themselves():
    points = RingBatches(20_000, 0, 0.1)[0].images.flatten(1)
    coverage = cover_modes(points, torch.from_numpy(ring_centres()), 0.1)
    assert coverage.n_modes == 8
    # standard error sqrt(.989 * .011 / 20000) = .0007
    assert coverage.near == pytest.approx(1 - math.exp(-4.5), abs=0.003)


def test_collapse_and_untrained_noise():
    centres = torch.from_numpy(ring_centres())
    one = RingBatches(500, 0, 0.1)[0].images.flatten(1) * 0 + centres[0].float()
    assert cover_modes(one, centres, 0.1) == (1, 1.0, 0.0)
    noise = torch.randn(2_000, 2, generator=torch.Generator().manual_seed(0)) * 0.1
    assert cover_modes(noise, centres, 0.1) == (0, 0.0, 0.0)
