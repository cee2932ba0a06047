"""The filter over the mel bands that becomes part of a generator."""

import numpy as np
import pytest
import torch

from voxcycle.audio.stats import DomainStats
from voxcycle.models.voice_generator import VoiceGenerator
from voxcycle.voices.formant_postfilter import filter_formants

RNG = np.random.default_rng(0)
MEAN, STD = RNG.normal(-5, 1, 80).astype(np.float32), RNG.uniform(0.3, 2, 80).astype(np.float32)
STATS = DomainStats(MEAN, STD, 5.0, 0.2)


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return VoiceGenerator(width=16, n_blocks=1, has_skip=False)


def render(generator):
    """Return log-mels (F, n_mels) of some speech."""
    torch.manual_seed(1)
    with torch.no_grad():
        output = generator(torch.randn(1, 80, 30), torch.randn(1, 81, 30))
    return STATS.denormalize(output[0].T.numpy())


def test_what_the_neighbours_do_not_have_grows(generator):
    before = render(generator)
    after = render(filter_formants(generator, STATS, 0.5))
    change = before - STATS.mel_mean
    held = np.pad(change, ((0, 0), (4, 4)), mode="edge")
    smooth = np.stack([held[:, band : band + 9].mean(1) for band in range(80)], 1)
    assert np.abs(change - smooth).max() > 0.1
    np.testing.assert_allclose(after, before + 0.5 * (change - smooth), atol=1e-4)
    np.testing.assert_array_equal(render(generator), before)  # a copy was filtered
    np.testing.assert_array_equal(render(filter_formants(generator, STATS, 0.0)), before)


def test_the_mean_spectrum_stays(generator):
    torch.nn.init.zeros_(generator.out.weight)
    after = render(filter_formants(generator, STATS, 0.5))
    np.testing.assert_allclose(after, np.broadcast_to(STATS.mel_mean, after.shape), atol=1e-5)


def test_generators_with_the_skip_are_refused():
    with pytest.raises(ValueError, match="without a skip"):
        filter_formants(VoiceGenerator(width=16, n_blocks=1, has_skip=True), STATS, 0.15)
