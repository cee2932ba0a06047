from dataclasses import replace

import numpy as np
import pytest
import torch

from voxcycle.audio.stats import DomainStats
from voxcycle.models.voice_generator import VoiceGenerator
from voxcycle.models.weights import store_network
from voxcycle.voices.generator import Generator
from voxcycle.voices.voice import VoiceCard


@pytest.fixture(autouse=True)
def data_dir(tmp_path, monkeypatch):
    """An empty data directory in place of the user's."""
    monkeypatch.setenv("VOXCYCLE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def make_voice(voice):
    """Build a small voice with random weights that fp16 holds exactly."""

    def draw_stats(rng, log_f0_mean):
        mean, std = np.round([rng.normal(-5, 1, 80), rng.uniform(0.5, 2, 80)], 4)
        return DomainStats(mean.astype(np.float32), std.astype(np.float32), log_f0_mean, 0.2)

    def make(name="ada", seed=0):
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        stored = store_network(VoiceGenerator(width=16, n_blocks=2))
        weights = {k: v.astype(np.float32) for k, v in stored.to_fp16().items()}
        card = VoiceCard(
            name,
            language="en",
            sex="female",
            licence="MIT",
            consent="Ada agreed in writing",
            training={"steps": 100, "seed": seed},
            scores={"SECS": 0.81},
        )
        return replace(
            voice,
            card=card,
            source_stats=draw_stats(rng, 4.7),
            target_stats=draw_stats(rng, 5.3),
            generator=Generator(stored.arguments, weights),
        )

    return make
