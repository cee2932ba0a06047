import numpy as np
import pytest
import torch

from voxcycle.audio.noise import draw_normal


@pytest.mark.parametrize("seed", [0, 7, 2**63 - 3])
def test_the_numbers_are_pytorchs(seed):
    expected = torch.randn(8192, generator=torch.Generator().manual_seed(seed)).numpy()
    # PyTorch's vectorised sine and logarithm round differently.
    np.testing.assert_allclose(draw_normal(8192, seed), expected, atol=2e-6)


def test_other_lengths_are_refused():
    with pytest.raises(ValueError, match="multiple of 16"):
        draw_normal(100, 0)
