"""Bounds: measured numbers that must hold, stored with their run and machine."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from voxcycle.evaluation.stats.cost import describe_machine
from voxcycle.files import replacing

RESULT_FILE = "result.json"


@dataclass(frozen=True)
class Bound:
    """A measured number and its bound.

    Attributes:
        bound: the limit; None for a number that is only reported.
        is_least: whether the value must be at least the bound, rather than at most.
    """

    name: str
    value: float
    bound: float | None = None
    is_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether the value is on the right side."""
        if self.bound is None:
            return True
        return self.value >= self.bound if self.is_least else self.value <= self.bound


def at_least(name: str, value: float, bound: float) -> Bound:
    """Return a bound that a value must reach."""
    return Bound(name, float(value), float(bound), is_least=True)


def at_most(name: str, value: float, bound: float) -> Bound:
    """Return a bound that a value must not pass."""
    return Bound(name, float(value), float(bound))


def reported(name: str, value: float) -> Bound:
    """Return a number that is only shown."""
    return Bound(name, float(value))


@dataclass
class Result:
    """The result of a recipe of the lecture.

    Attributes:
        system: its name, the folder's.
        command: that repeats it.
        n_steps: iterations of the training that is shown, which has this `seed`.
        n_trainings: how many there are, that one included.
        seconds: wall time of all of them.
        bounds: numbers in the order in which they are read.
        pictures: file names in the recipe's folder, with captions.
    """

    system: str
    command: str
    n_steps: int
    n_trainings: int
    seconds: float
    seed: int
    bounds: list[Bound]
    pictures: dict[str, str] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=describe_machine)

    def save(self, folder: Path) -> None:
        """Write `result.json`; it appears when it is complete."""
        with replacing(folder / RESULT_FILE) as partial:
            partial.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Result":
        """Read what `save` wrote."""
        values = json.loads((folder / RESULT_FILE).read_text(encoding="utf-8"))
        bounds = [Bound(**bound) for bound in values.pop("bounds")]
        return cls(**values, bounds=bounds)


def print_bounds(bounds: list[Bound]) -> bool:
    """Print every number with its bound; return whether all hold."""
    for bound in bounds:
        sign = ">=" if bound.is_least else "<="
        limit = "" if bound.bound is None else f"  ({sign} {bound.bound:g})"
        mark = "" if bound.bound is None else ("  ok" if bound.holds else "  FAILS")
        print(f"{bound.name}: {bound.value:.4g}{limit}{mark}")
    return all(bound.holds for bound in bounds)
