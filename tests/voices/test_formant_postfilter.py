"""The filter over the mel bands that becomes part of a generator."""

import numpy as np
import pytest
import torch

from voxcycle.audio.stats import DomainStats
from voxcycle.models.voice_generator import VoiceGenerator
from voxcycle.voices.formant_postfilter import filter_formants


@pytest.fixture
def stats():
    draw = np.random.default_rng(0)
    mean, std = draw.normal(-5, 1, 80), draw.uniform(0.3, 2, 80)
    return DomainStats(mean.astype(np.float32), std.astype(np.float32), 5.0, 0.2)


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return VoiceGenerator(width=16, n_blocks=1, has_skip=False)


def render(generator: VoiceGenerator, stats: DomainStats) -> np.ndarray:
    """Return log-mels (F, n_mels) of some speech."""
    torch.manual_seed(1)
    with torch.no_grad():
        output = generator(torch.randn(1, 80, 30), torch.randn(1, 81, 30))
    return stats.denormalize(output[0].T.numpy())


def test_what_the_neighbours_do_not_have_grows(generator, stats):
    before = render(generator, stats)
    after = render(filter_formants(generator, stats, 0.5), stats)
    change = before - stats.mel_mean
    held = np.pad(change, ((0, 0), (4, 4)), mode="edge")
    smooth = np.stack([held[:, band : band + 9].mean(1) for band in range(80)], 1)
    assert np.abs(change - smooth).max() > 0.1
    np.testing.assert_allclose(after, before + 0.5 * (change - smooth), atol=1e-4)
    np.testing.assert_array_equal(render(generator, stats), before)  # a copy was filtered
    np.testing.assert_array_equal(render(filter_formants(generator, stats, 0.0), stats), before)


def test_the_mean_spectrum_stays(generator, stats):
    torch.nn.init.zeros_(generator.out.weight)
    after = render(filter_formants(generator, stats, 0.5), stats)
    np.testing.assert_allclose(after, np.broadcast_to(stats.mel_mean, after.shape), atol=1e-5)


def test_generators_with_the_skip_are_refused(stats):
    with pytest.raises(ValueError, match="without a skip"):
        filter_formants(VoiceGenerator(width=16, n_blocks=1, has_skip=True), stats, 0.15)
