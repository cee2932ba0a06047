"""Two processes (gloo) train as one does, stop and resume; shares of batches and of noise."""

import functools
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

from voxcycle.images.image_set import ImageSet
from voxcycle.images.systems.vae import VAEConfig
from voxcycle.images.train import train_system
from voxcycle.methods.batches import FaceBatch, ImageBatch, PairBatch, Share, take_share
from voxcycle.methods.debiasing_vae import DebiasingVAE
from voxcycle.methods.vae import VAE
from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.speech.train_voice import train_voice
from voxcycle.training.config import TrainingConfig
from voxcycle.training.loop import fit
from voxcycle.training.state import TrainingState

N_STEPS = 20


@pytest.fixture
def data(tmp_path):
    """Twelve noisy images."""
    pixels = np.random.default_rng(0).integers(256, size=(12, 3, 8, 8)).astype(np.uint8)
    ImageSet(pixels, np.zeros((12, 0), np.int64), ()).save(tmp_path / "images.npz")
    return tmp_path / "images.npz"


def make_config(data, out, **changes):
    values = {"steps": N_STEPS, "threads": 1, "width": 4, "log_every": 1, "seed": 1}
    values |= {"data": data, "out": out, "network": "mlp", "n_latent": 3, "batch_size": 6}
    return VAEConfig(**values | changes)


def read_losses(run):
    """Return the values of every term, logged once at every step."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "log"))
    events.Reload()
    losses = {}
    for name in events.Tags()["scalars"]:
        scalars = events.Scalars(name)
        assert [event.step for event in scalars] == list(range(1, N_STEPS + 1))
        losses[name] = [event.value for event in scalars]
    return losses


def assert_same_run(one, two, tolerance=1e-5):
    """Losses of every step within a tolerance of their size, and nearly all weights within it.

    Where a gradient is next to nothing, Adam makes a whole step of its last bits.
    """
    losses, others = read_losses(one), read_losses(two)
    assert losses.keys() == others.keys() and losses
    for name, values in losses.items():
        assert others[name] == pytest.approx(values, rel=tolerance)
    first, second = (torch.load(run / "last.ckpt", weights_only=True) for run in (one, two))
    for part in ("method", "ema"):
        for key, value in first[part].items():
            differs = (second[part][key] - value).abs() > tolerance
            assert differs.double().mean() < 1e-3, key


def test_two_processes_make_a_vae_as_one_does_also_over_a_stop(data, tmp_path):
    environment = dict(os.environ)
    train_system("vae", make_config(data, tmp_path / "one"))
    train_system("vae", make_config(data, tmp_path / "two", steps=9, devices=2))
    resumed = make_config(data, tmp_path / "two", devices=2)
    assert train_system("vae", resumed, resume=True).n_new_steps == N_STEPS - 9
    assert_same_run(tmp_path / "one", tmp_path / "two")
    assert os.environ == environment and not torch.distributed.is_initialized()


def test_two_processes_make_a_pair_of_voices_as_one_does(tmp_path, write_clips, monkeypatch):
    """Without instance norm, that is: it turns rounding errors into steps of Adam.

    So does the phonetic encoder on the way back, to a lesser degree.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, f0_hz in (("low", 110.0), ("high", 210.0)):
        write_clips(tmp_path / name, 6, 11.0, f0_hz)
    values = {"a": tmp_path / "low", "b": tmp_path / "high", "steps": N_STEPS, "threads": 1}
    values |= {"width": 16, "n_blocks": 1, "discriminator_widths": (4, 4, 4, 4), "batch_size": 2}
    values |= {"samples": 0, "separates_pitch": False, "prepares": False, "from_scratch": True}
    one = VoiceTrainingConfig(**values, log_every=1, out=tmp_path / "one")
    two = one.model_copy(update={"out": tmp_path / "two", "devices": 2})
    assert train_voice(one).n_steps == train_voice(two).n_steps == N_STEPS
    assert_same_run(tmp_path / "one", tmp_path / "two", tolerance=2e-3)
    files, others = (
        {path.name for path in run.out.rglob("*") if not path.name.startswith("events")}
        for run in (one, two)
    )
    assert files == others
    assert len(list((two.out / "log").iterdir())) == 1  # rank 0 alone writes


def test_ctrl_c_ends_a_step_of_both_processes(data, tmp_path):
    config = make_config(data, tmp_path / "run", devices=2, steps=100_000)
    script = (
        "import sys; from voxcycle.images.systems.vae import VAEConfig;"
        "from voxcycle.images.train import train_system;"
        "train_system('vae', VAEConfig.model_validate_json(sys.argv[1]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, config.model_dump_json()], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith("step "):
            break
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate()
    reached = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["steps_done"]
    assert f"stopped at step {reached}; --resume goes on from there" in stderr, said
    assert sum("step 1/" in line for line in said) == 1  # rank 0 alone prints
    more = make_config(data, tmp_path / "run", devices=1, steps=reached + 2)
    assert train_system("vae", more, resume=True).n_new_steps == 2


def test_a_process_that_fails_before_the_start_is_an_error(tmp_path):
    state = TrainingState(VAE(nn.Linear(2, 2), nn.Linear(1, 2), 1))
    config = TrainingConfig(out=tmp_path, steps=1, devices=2)
    rerun = functools.partial(os._exit, 3)
    with pytest.raises(RuntimeError, match="ended with 3"):
        fit(state, [], config, console=Console(quiet=True), rerun=rerun)  # type: ignore[arg-type]


def test_shares_are_equal_parts_in_order_and_have_the_noise_of_the_whole():
    whole = PairBatch(torch.arange(6.0).reshape(6, 1), -torch.arange(6.0).reshape(6, 1))
    shares = [take_share(whole, Share(rank, 3)) for rank in range(3)]
    assert shares[1].a.flatten().tolist() == [2.0, 3.0]
    assert torch.equal(torch.cat([share.b for share in shares]), whole.b)
    assert take_share(whole, Share()) is whole
    with pytest.raises(ValueError, match="batch of 6 .* 4 processes"):
        take_share(whole, Share(0, 4))
    whole = ImageBatch(torch.rand(8, 1, 4, 4), torch.zeros(8, 1), 3, 5)
    shares = [take_share(whole, Share(rank, 4)) for rank in range(4)]
    parts = [share.normal(len(share.images), 7) for share in shares]
    assert [len(part) for part in parts] == [2] * 4
    assert torch.equal(torch.cat(parts), whole.normal(8, 7))
    # as before there were shares
    expected = torch.randn(8, 7, generator=torch.Generator().manual_seed(5))
    assert torch.equal(whole.normal(8, 7), expected)


def test_shares_of_faces_are_drawn_from_all():
    seen: list[Tensor] = []

    class Spy(nn.Linear):
        def forward(self, images):
            seen.append(images.flatten(1).detach())
            return super().forward(images.flatten(1))

    method = DebiasingVAE(Spy(4, 3), nn.Sequential(nn.Linear(1, 4), nn.Unflatten(1, (1, 2, 2))), 1)
    faces = torch.arange(240).reshape(60, 1, 2, 2).to(torch.uint8)
    whole = FaceBatch(faces, torch.rand(6, 1, 2, 2), 1, 9)
    terms = method.losses(whole, {})
    halves = [method.losses(take_share(whole, Share(rank, 2)), {}) for rank in range(2)]
    together, *parts = seen
    assert torch.equal(together[:6], torch.cat([part[:3] for part in parts]))  # the faces
    assert torch.equal(together[6:], torch.cat([part[3:] for part in parts]))
    for name, term in terms.items():
        mean = (halves[0][name] + halves[1][name]) / 2
        torch.testing.assert_close(mean, term)
