"""Sharper formants without more training: a filter over bands that becomes part of a generator."""

import copy

import torch
from torch.nn import functional as F

from voxcycle.audio.stats import DomainStats
from voxcycle.models.voice_generator import VoiceGenerator

SMOOTHED_BANDS = 9


def sharpen(generator: VoiceGenerator, stats: DomainStats, sharpness: float) -> VoiceGenerator:
    """Return a copy of a speaker's generator whose log-mels have more contrast over frequency.

    Losses that average over what could be said make formants flat. Of what a frame differs from the
    speaker's mean spectrum, the part that the mean of the nine bands around it does not have grows
    by `sharpness`: the postfilter of speech coders (Chen and Gersho, 1995) on mels. It is linear,
    as is the generator's last layer: both become one layer, and conversion costs what it did.

    Args:
        generator: without the skip.
        stats: of the speaker; their deviations denormalise its output.
        sharpness: 0 changes nothing.

    Raises:
        ValueError: the generator has a skip, which the filter would not reach.
    """
    if generator.has_skip:
        raise ValueError("the formant postfilter needs a generator without a skip")
    identity = torch.eye(len(stats.mel_std))
    padded = F.pad(identity[:, None], [SMOOTHED_BANDS // 2] * 2, mode="replicate")
    contrast = identity - F.avg_pool1d(padded, SMOOTHED_BANDS, stride=1)[:, 0].T
    std = torch.from_numpy(stats.mel_std)
    change = sharpness * contrast * std / std[:, None]  # of normalised mels
    sharp = copy.deepcopy(generator)
    with torch.no_grad():
        for values in (sharp.out.weight, sharp.out.bias):
            values.add_(change.to(values) @ values)
    return sharp
