import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from voxcycle.audio.level import remove_rumble


@pytest.mark.parametrize("sample_rate", [8000, 22_050, 48_000])
def test_rumble_goes_by_scipys_butterworth_filter(sample_rate):
    """DC, its steps and what is below 60 Hz; in blocks as in one piece."""
    rng = np.random.default_rng(0)
    waveform = rng.normal(0.2, 0.1, 3 * sample_rate).astype(np.float32)
    waveform[sample_rate:] -= 0.5
    expected = sosfilt(butter(8, 60, "highpass", fs=sample_rate, output="sos"), waveform)
    for edges in ([], [1], [777, 778, 20_000]):
        blocks = np.split(waveform, edges)
        found = list(remove_rumble(blocks, sample_rate))
        assert [len(block) for block in found] == [len(block) for block in blocks]
        np.testing.assert_allclose(np.concatenate(found), expected, atol=1e-6)
