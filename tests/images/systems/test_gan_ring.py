import numpy as np
import pytest
import torch

from voxcycle.images.systems.gan_ring import N_MODES, RADIUS, RingBatches, ring_centres


def test_centres_lie_evenly_on_the_circle() -> None:
    centres = ring_centres()
    np.testing.assert_allclose(centres[:3], [[2, 0], [2**0.5, 2**0.5], [0, 2]], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), RADIUS)
    np.testing.assert_allclose(centres.mean(0), 0, atol=1e-12)


def test_a_batch_is_a_function_of_seed_and_step() -> None:
    first, again = RingBatches(64, 3, 0.1)[7], RingBatches(64, 3, 0.1)[7]
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.normal(4), again.normal(4))
    for other in (RingBatches(64, 3, 0.1)[8], RingBatches(64, 4, 0.1)[7]):
        assert not torch.equal(first.images, other.images)
        assert not torch.equal(first.normal(4), other.normal(4))


def test_points_have_the_clusters_moments() -> None:
    n, deviation = 20_000, 0.3
    batch = RingBatches(n, 0, deviation)[0]
    assert batch.images.shape == (n, 2, 1, 1)
    modes = batch.labels[:, 0]
    offsets = batch.images.flatten(1) - torch.from_numpy(ring_centres())[modes]
    # n / 8 points a cluster: the mean's standard error is .3 / sqrt(2500) = .006
    for i in range(N_MODES):
        own = offsets[modes == i]
        assert len(own) == pytest.approx(n / N_MODES, rel=0.1)
        assert own.mean(0).abs().max().item() < 0.03
        assert own.std(0).tolist() == pytest.approx([deviation] * 2, rel=0.07)
