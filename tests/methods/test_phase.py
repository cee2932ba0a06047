import pytest
import torch
from torch import Tensor, nn

from voxcycle.methods.phase import Memory, OptimizerFactory, Phase
from voxcycle.training.state import TrainingState


class TwoPhases(nn.Module):
    """A quadratic bowl for one weight, a second phase that only reads what the first left."""

    def __init__(self, every: int = 1, clip: float | None = None) -> None:
        super().__init__()
        self.first = nn.Linear(1, 1, bias=False)
        self.second = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.first.weight, 3.0)
        nn.init.constant_(self.second.weight, 1.0)
        self.every, self.clip = every, clip
        self.seen: list[tuple[bool, bool]] = []

    def averaged(self) -> nn.Module:
        return self.first

    def phases(self) -> list[Phase]:
        def sgd(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
            return torch.optim.SGD(parameters, 0.1)

        return [
            Phase(
                name="one",
                networks=[self.first],
                loss=self._one,
                weights={"square": 2.0},
                optimizer=sgd,
                clip=self.clip,
            ),
            Phase(
                name="two",
                networks=[self.second],
                loss=self._two,
                weights={"product": 1.0},
                optimizer=sgd,
                every=self.every,
            ),
        ]

    def _one(self, batch: Tensor, memory: Memory) -> dict[str, Tensor]:
        self.seen.append((self.first.weight.requires_grad, self.second.weight.requires_grad))
        out = self.first(batch)
        memory["out"] = out.detach()
        return {"square": out.square().mean()}

    def _two(self, batch: Tensor, memory: Memory) -> dict[str, Tensor]:
        self.seen.append((self.first.weight.requires_grad, self.second.weight.requires_grad))
        return {"product": self.second(memory["out"]).mean()}


def run(module: TrainingState, n_steps: int) -> None:
    for _ in range(n_steps):
        module.run_phases(torch.ones(1, 1))
        module.steps_done += 1


def test_a_step_by_hand() -> None:
    module = TrainingState(TwoPhases())
    run(module, 1)
    # weight 2 * w^2 at w = 3: gradient 12, step 0.1 -> 1.8
    assert module.method.first.weight.item() == pytest.approx(1.8)
    # phase two reads phase one's output before its step, 3: gradient 3 -> 1 - 0.3
    assert module.method.second.weight.item() == pytest.approx(0.7)
    assert module.logged["one/square"].item() == pytest.approx(9.0)  # logged unweighted


def test_only_the_phase_in_turn_is_trained() -> None:
    module = TrainingState(TwoPhases())
    run(module, 1)
    assert module.method.seen == [(True, False), (False, True)]


def test_every_and_clip() -> None:
    module = TrainingState(TwoPhases(every=3, clip=1.0))
    run(module, 4)
    # gradient norm clipped to 1: four steps of 0.1
    assert module.method.first.weight.item() == pytest.approx(3.0 - 0.4)
    # phase two ran at steps 0 and 3, reading 3.0 and 2.7
    assert module.method.second.weight.item() == pytest.approx(1 - 0.1 * (3.0 + 2.7))


def test_a_phase_may_step_an_earlier_phase_s_optimizer() -> None:
    """Momentum 0.5 is common to both: steps of gradients 1 and 2 are 0.1 and 0.1 * (2 + 0.5)."""
    method = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(method.weight)

    def phase(name: str, slope: float, optimizer: OptimizerFactory | str) -> Phase:
        return Phase(
            name=name,
            networks=[method],
            loss=lambda *_: {"line": method.weight.sum()},
            weights={"line": slope},
            optimizer=optimizer,
        )

    def sgd(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, 0.1, momentum=0.5)

    method.phases = lambda: [phase("one", 1.0, sgd), phase("two", 2.0, "one")]  # type: ignore[assignment]
    method.averaged = lambda: None  # type: ignore[assignment]
    module = TrainingState(method)
    assert len(module.optimizers) == 1
    run(module, 1)
    assert method.weight.item() == pytest.approx(-0.35)
