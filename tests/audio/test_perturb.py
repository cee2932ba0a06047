import numpy as np
import pytest

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import MAX_BEND, bend_bands

N_MELS = MelSpec().n_mels


def test_bending_moves_bands_smoothly_and_not_far():
    ramp = np.tile(np.arange(N_MELS, dtype=np.float32), (3, 1))  # reads out the position
    for seed in range(20):
        shift = bend_bands(ramp, np.random.default_rng(seed)) - ramp
        assert np.all(shift == shift[0])  # every frame alike: a body does not change
        inner = shift[0, 3:-3]  # at the edges positions are clipped
        assert np.abs(inner).max() <= MAX_BEND + 1e-3
        # five knots 19.75 bands apart: no more than 5 / 19.75 bands per band, so order is kept
        assert np.abs(np.diff(inner)).max() <= 2 * MAX_BEND / 19.75 + 1e-3
    shifts = [bend_bands(ramp, np.random.default_rng(s))[0, 40] - 40 for s in range(200)]
    assert np.mean(shifts) == pytest.approx(0, abs=0.4) and np.std(shifts) > 1.0
