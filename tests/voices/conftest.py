import numpy as np
import pytest
import torch

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import DomainStats
from voxcycle.models.voice_generator import VoiceGenerator
from voxcycle.voices.voice import Voice, VoiceCard


@pytest.fixture(autouse=True)
def data_dir(tmp_path, monkeypatch):
    """An empty data directory in place of the user's."""
    monkeypatch.setenv("VOXCYCLE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def make_voice():
    """Build a small voice with random weights that fp16 holds exactly."""

    def make(name: str = "ada", seed: int = 0) -> Voice:
        torch.manual_seed(seed)
        random = np.random.default_rng(seed)
        generator = VoiceGenerator(width=16, n_blocks=2, n_condition=4).eval()
        generator.load_state_dict({k: v.half() for k, v in generator.state_dict().items()})
        stats = [
            DomainStats(
                np.round(random.normal(-5, 1, 80), 4).astype(np.float32),
                np.round(random.uniform(0.5, 2, 80), 4).astype(np.float32),
                log_f0_mean,
                0.2,
            )
            for log_f0_mean in (4.7, 5.3)
        ]
        card = VoiceCard(
            name,
            language="en",
            sex="female",
            licence="MIT",
            consent="Ada agreed in writing",
            training={"steps": 100, "seed": seed},
            scores={"SECS": 0.81},
        )
        return Voice(
            card=card,
            spec=MelSpec(),
            source_stats=stats[0],
            target_stats=stats[1],
            is_any_to_one=True,
            generator=generator,
        )

    return make
