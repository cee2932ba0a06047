"""The loop on a quadratic bowl: what a step does is computed by hand."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn
from torch.utils.data import Dataset

from voxcycle.methods.phase import Phase
from voxcycle.training.config import TrainingConfig
from voxcycle.training.loop import fit
from voxcycle.training.state import Snapshots, TrainingState, restore


class Bowl(nn.Module):
    """One weight, pulled to the value of the batch."""

    def __init__(self):
        super().__init__()
        self.network = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.network.weight, 3.0)

    def phases(self):
        sgd = partial(torch.optim.SGD, lr=0.1, momentum=0.5)
        one = {"square": 1.0}
        return [Phase("bowl", self.network, self._losses, one, optimizer=sgd, is_averaged=True)]

    def _losses(self, batch, memory):
        return {"square": (self.network.weight - batch).square().sum()}


class Numbers(Dataset[Tensor]):
    """Batch i is i."""

    def __getitem__(self, index):
        return torch.tensor(float(index))


def train(out, n_steps, *, resume=False, hooks=(), method=None, deadline=None, **settings):
    state = TrainingState(method or Bowl(), ema_decay=0.5)
    if resume:
        restore(state, out / "last.ckpt", with_optimizers=True)
    config = TrainingConfig(out=out, steps=n_steps, **settings)
    fit(
        state,
        Numbers(),
        config,
        console=Console(quiet=True),
        rerun=print,
        hooks=hooks,
        deadline=deadline,
    )
    return state


def load(run):
    return torch.load(run / "last.ckpt", weights_only=True)


def put_first(log):
    """Let the one file of a log be read before others of the same second."""
    (path,) = log.iterdir()
    path.rename(path.with_name(path.name.replace("tfevents.", "tfevents.0")))


def weight(state):
    return state.method.network.weight.item()  # type: ignore[union-attr]


def test_steps_momentum_and_average_by_hand(tmp_path):
    state = train(tmp_path, 3)
    expected, velocity, mean = 3.0, 0.0, 0.0
    for step in range(3):
        velocity = 0.5 * velocity + 2 * (expected - step)
        expected -= 0.1 * velocity
        decay = min(0.5, (1 + step) / (10 + step))
        mean = expected if step == 0 else decay * mean + (1 - decay) * expected
    assert weight(state) == pytest.approx(expected, rel=1e-6)
    assert state.ema is not None
    assert state.ema.module.weight.item() == pytest.approx(mean, rel=1e-6)
    assert state.steps_done == 3


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_run_ends_with_the_same_bits(tmp_path, workers):
    whole = train(tmp_path / "whole", 7)
    train(tmp_path / "parts", 3)
    parts = train(tmp_path / "parts", 7, resume=True, workers=workers)
    assert weight(parts) == weight(whole)
    files = [load(tmp_path / run) for run in ("whole", "parts")]
    assert torch.equal(files[0]["ema"]["module.weight"], files[1]["ema"]["module.weight"])
    momenta = [x["optimizers"]["bowl"]["state"][0]["momentum_buffer"] for x in files]
    assert torch.equal(*momenta) and momenta[0].abs() > 0


def test_networks_begin_another_run_and_a_finished_one_is_left_as_it_is(tmp_path):
    trained = train(tmp_path, 4)
    state = TrainingState(Bowl())
    restore(state, tmp_path / "last.ckpt", with_optimizers=False)
    assert (weight(state), state.steps_done) == (weight(trained), 4)
    assert not state.optimizers["bowl"].state
    written = (tmp_path / "last.ckpt").read_bytes()
    assert weight(train(tmp_path, 2, resume=True)) == weight(trained)
    assert (tmp_path / "last.ckpt").read_bytes() == written


def test_hooks_and_snapshots_see_steps_before_their_checkpoint(tmp_path):
    seen: list[tuple[int, float, int | None]] = []
    saved: dict[str, int] = {}
    snapshots = Snapshots(tmp_path / "model", 2, lambda s, p: saved.update({p.name: s.steps_done}))

    def look(state, _):
        kept = load(tmp_path)["steps_done"] if (tmp_path / "last.ckpt").exists() else None
        seen.append((state.steps_done, weight(state), kept))

    train(tmp_path, 5, hooks=[look, snapshots], checkpoint_every=2)
    assert [step for step, _, _ in seen] == [1, 2, 3, 4, 5]
    assert seen[0][1] == pytest.approx(3 - 0.1 * 6)
    assert [kept for _, _, kept in seen] == [None, None, 2, 2, 4]
    assert saved == {"model-2.safetensors": 2, "model-4.safetensors": 4}
    assert load(tmp_path)["steps_done"] == 5  # at the end
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "last.ckpt", "log"]


def test_scalars_are_logged_every_n_steps_over_a_stop(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(tmp_path, 3, log_every=2)
    put_first(tmp_path / "log")
    train(tmp_path, 6, log_every=2, resume=True)
    events = EventAccumulator(str(tmp_path / "log"))
    events.Reload()
    scalars = list(events.Scalars("bowl/square"))
    assert [event.step for event in scalars] == [2, 4, 6]
    assert scalars[0].value == pytest.approx((2.4 - 1) ** 2)  # of step 1, at 3 - 0.1 * 6


def test_what_was_logged_after_the_last_checkpoint_is_logged_once(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def die(state, _):
        if state.steps_done == 4:
            raise MemoryError

    with pytest.raises(MemoryError):  # as a kill does, it leaves a checkpoint of step 3
        train(tmp_path, 6, log_every=1, checkpoint_every=3, hooks=[die])
    put_first(tmp_path / "log")
    train(tmp_path, 6, log_every=1, resume=True)
    events = EventAccumulator(str(tmp_path / "log"))
    events.Reload()
    assert [event.step for event in events.Scalars("bowl/square")] == [1, 2, 3, 4, 5, 6]


def test_a_full_disk_is_one_sentence_and_the_former_checkpoint_stays(tmp_path, capfd):
    resource = pytest.importorskip("resource")
    whole = train(tmp_path / "whole", 6)
    train(tmp_path / "run", 3)
    former = (tmp_path / "run" / "last.ckpt").read_bytes()
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room, place in ((100, "log"), (len(former) // 2, "last.ckpt")):
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, most))
        try:
            with pytest.raises(OSError, match=f"{tmp_path}/run/{place}"):
                train(tmp_path / "run", 6, resume=True, log_every=1)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        assert (tmp_path / "run" / "last.ckpt").read_bytes() == former
        assert not [*(tmp_path / "run").glob(".*.part")]
    assert "Traceback" not in "".join(capfd.readouterr())
    assert weight(train(tmp_path / "run", 6, resume=True)) == weight(whole)


def test_one_process_trains_in_a_folder_and_sweeps_it(tmp_path):
    def train_again(state, _):
        with pytest.raises(ValueError, match="another process is training in this folder"):
            train(tmp_path, 3)

    tmp_path.joinpath(".last.ckpt.0.1-2.part").write_bytes(b"of a killed process")
    train(tmp_path, 1, hooks=[train_again])
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "last.ckpt", "log"]


def test_the_first_interrupt_ends_the_step_and_the_second_acts_at_once(tmp_path):
    handler = signal.getsignal(signal.SIGINT)

    def press(n_times, at):
        def hook(state, _):
            if state.steps_done == at:
                for _ in range(n_times):
                    os.kill(os.getpid(), signal.SIGINT)
                    time.sleep(0.01)

        return hook

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "once", 100, hooks=[press(1, at=4)])
    # pressed after step 4, so step 5 is the one under way
    assert load(tmp_path / "once")["steps_done"] == 5
    resumed = train(tmp_path / "once", 9, resume=True)
    assert weight(resumed) == weight(train(tmp_path / "whole", 9))
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "twice", 100, hooks=[press(2, at=4)], checkpoint_every=3)
    assert load(tmp_path / "twice")["steps_done"] == 3
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_training_off_the_main_thread_needs_no_signals(tmp_path):
    with ThreadPoolExecutor() as pool:
        assert pool.submit(train, tmp_path, 2).result().steps_done == 2


def test_checkpoints_hold_no_pickles_and_refuse_others(tmp_path):
    state, path = train(tmp_path, 1), tmp_path / "last.ckpt"
    whole = path.read_bytes()
    other = load(tmp_path)
    del other["method"]
    for content in (whole[:500], b"", b"nothing"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=str(path)):
            restore(state, path, with_optimizers=True)
    for stored in (other, other | {"method": {"weight": torch.ones(2)}}, [1]):
        torch.save(stored, path)
        with pytest.raises(ValueError, match="start a new run"):
            restore(state, path, with_optimizers=True)


@pytest.mark.parametrize("precision", ["bf16-mixed", "32-true"])
def test_mixed_precision_rounds_products(tmp_path, precision):
    """1.001 becomes 1 in bfloat16."""
    is_mixed = precision == "bf16-mixed"

    class Product(Bowl):
        def _losses(self, batch, memory):
            out = self.network(torch.full((1, 1), 1.001))
            assert out.dtype == (torch.bfloat16 if is_mixed else torch.float32)
            return {"square": out.float().square().sum()}

    state = train(tmp_path, 1, method=Product(), precision=precision)
    assert state.method.network.weight.dtype == torch.float32
    expected = 9.0 if is_mixed else (3 * 1.001) ** 2
    assert state.logged["bowl/square"].item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("falling", "factors"), [(0.0, [1, 1, 1, 1]), (0.5, [1, 1, 1, 0.5])])
def test_learning_rates_fall_over_the_last_share_of_the_steps(tmp_path, falling, factors):
    state = train(tmp_path, 4, falling=falling)
    expected, velocity = 3.0, 0.0
    for step, factor in enumerate(factors):
        velocity = 0.5 * velocity + 2 * (expected - step)
        expected -= 0.1 * factor * velocity
    assert weight(state) == pytest.approx(expected, rel=1e-5)


def test_a_call_ends_at_its_deadline_and_the_run_goes_on(tmp_path):
    whole = train(tmp_path / "whole", 4)
    stopped = train(tmp_path / "parts", 4, deadline=time.monotonic() - 1)
    assert stopped.steps_done == load(tmp_path / "parts")["steps_done"] == 1
    resumed = train(tmp_path / "parts", 4, resume=True, deadline=time.monotonic() + 1e6)
    assert resumed.steps_done == 4
    assert torch.equal(resumed.method.network.weight, whole.method.network.weight)
