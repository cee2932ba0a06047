"""Clearer formants without more training: a filter over bands that becomes part of a generator."""

import copy

import torch
from torch.nn import functional as F

from voxcycle.audio.stats import DomainStats
from voxcycle.models.voice_generator import VoiceGenerator

FORMANT_POSTFILTER = 0.15  # the default gain, chosen on validation speakers (docs/experiments)
SMOOTHED_BANDS = 9


def filter_formants(generator: VoiceGenerator, stats: DomainStats, gain: float) -> VoiceGenerator:
    """Return a copy of a speaker's generator whose log-mels have more contrast over frequency.

    Losses that average over what could be said make formants flat. Take a frame's difference from
    the speaker's mean spectrum: what its mean over nine bands lacks is amplified by 1 + `gain`, as
    by the postfilter of speech coders (Chen and Gersho, 1995). The filter is linear, as is the
    generator's last layer, so both become one layer and conversion costs the same. ValueError
    where the generator has a skip, which the filter would not reach.
    """
    if generator.has_skip:
        raise ValueError("the formant postfilter needs a generator without a skip")
    identity = torch.eye(len(stats.mel_std))
    padded = F.pad(identity[:, None], [SMOOTHED_BANDS // 2] * 2, mode="replicate")
    contrast = identity - F.avg_pool1d(padded, SMOOTHED_BANDS, stride=1)[:, 0].T
    std = torch.from_numpy(stats.mel_std)
    change = gain * contrast * std / std[:, None]  # of normalised mels
    filtered = copy.deepcopy(generator)
    with torch.no_grad():
        for values in (filtered.out.weight, filtered.out.bias):
            values.add_(change.to(values) @ values)
    return filtered
