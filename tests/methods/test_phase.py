from functools import partial

import pytest
import torch
from torch import nn

from voxcycle.methods.phase import Phase, weigh

SGD = partial(torch.optim.SGD, lr=0.1)


class TwoPhases(nn.Module):
    """A quadratic bowl for one weight, a second phase that only reads what the first left."""

    def __init__(self, every=1, clip=None):
        super().__init__()
        self.first = nn.Linear(1, 1, bias=False)
        self.second = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.first.weight, 3.0)
        nn.init.constant_(self.second.weight, 1.0)
        self.every, self.clip = every, clip
        self.seen: list[tuple[bool, bool]] = []

    def phases(self):
        return [
            Phase("one", self.first, self._one, {"square": 2.0}, optimizer=SGD, clip=self.clip),
            Phase("two", self.second, self._two, {"product": 1.0}, optimizer=SGD, every=self.every),
        ]

    def _one(self, batch, memory):
        self._note()
        out = self.first(batch)
        memory["out"] = out.detach()
        return {"square": out.square().mean()}

    def _two(self, batch, memory):
        self._note()
        return {"product": self.second(memory["out"]).mean()}

    def _note(self):
        self.seen.append((self.first.weight.requires_grad, self.second.weight.requires_grad))


def test_a_step_by_hand(train):
    state = train(TwoPhases(), [torch.ones(1, 1)])
    # weight 2 * w^2 at w = 3: gradient 12, step 0.1 -> 1.8
    assert state.method.first.weight.item() == pytest.approx(1.8)
    # phase two reads phase one's output before its step, 3: gradient 3 -> 1 - 0.3
    assert state.method.second.weight.item() == pytest.approx(0.7)
    assert state.logged["one/square"].item() == pytest.approx(9.0)  # logged unweighted
    # only the phase in turn is trained
    assert state.method.seen == [(True, False), (False, True)]


def test_every_and_clip(train):
    method = train(TwoPhases(every=3, clip=1.0), [torch.ones(1, 1)] * 4).method
    # gradient norm clipped to 1: four steps of 0.1
    assert method.first.weight.item() == pytest.approx(3.0 - 0.4)
    # phase two ran at steps 0 and 3, reading 3.0 and 2.7
    assert method.second.weight.item() == pytest.approx(1 - 0.1 * (3.0 + 2.7))


def test_a_phase_may_step_an_earlier_phase_s_optimizer(train):
    """Momentum 0.5 is common to both: steps of gradients 1 and 2 are 0.1 and 0.1 * (2 + 0.5)."""
    method = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(method.weight)

    def loss(*_):
        return {"line": method.weight.sum()}

    phases = [
        Phase("one", method, loss, {"line": 1.0}, optimizer=partial(SGD, momentum=0.5)),
        Phase("two", method, loss, {"line": 2.0}, optimizer="one"),
    ]
    method.phases = lambda: phases  # type: ignore[assignment]
    state = train(method, [torch.ones(1, 1)])
    assert len(state.optimizers) == 1
    assert method.weight.item() == pytest.approx(-0.35)


def test_terms_and_weights_need_the_same_names():
    with pytest.raises(ValueError, match="odd"):
        weigh({"cycle_a": torch.ones(()), "odd": torch.ones(())}, {"cycle_a": 1.0})
    assert weigh({"cycle_a": torch.tensor(3.0)}, {"cycle_a": 2.0}).item() == 6.0
