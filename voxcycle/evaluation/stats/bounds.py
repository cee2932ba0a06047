"""Gates: numbers that must hold, kept with what they were measured on."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from voxcycle.evaluation.stats.cost import describe_machine
from voxcycle.files import replacing

RESULT_FILE = "result.json"


@dataclass(frozen=True)
class Gate:
    """A number and its bound.

    Attributes:
        name: what is measured.
        value: what came out.
        bound: what it is held against; None for a number that is reported and not held.
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


def at_least(name: str, value: float, bound: float) -> Gate:
    """Return a gate that a value must reach."""
    return Gate(name, float(value), float(bound), is_least=True)


def at_most(name: str, value: float, bound: float) -> Gate:
    """Return a gate that a value must not pass."""
    return Gate(name, float(value), float(bound))


def reported(name: str, value: float) -> Gate:
    """Return a number that is shown and not held against anything."""
    return Gate(name, float(value))


@dataclass
class Result:
    """What a recipe of the lecture found out.

    Attributes:
        system: its name, the folder's.
        command: that repeats it.
        n_steps: iterations of the training that is shown.
        n_trainings: how many there are, that one included.
        seconds: wall time of all of them.
        seed: of the training that is shown.
        gates: numbers in the order in which they are read.
        pictures: file names in the recipe's folder, with captions.
        machine: what it ran on.
    """

    system: str
    command: str
    n_steps: int
    n_trainings: int
    seconds: float
    seed: int
    gates: list[Gate]
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
        gates = [Gate(**gate) for gate in values.pop("gates")]
        return cls(**values, gates=gates)


def print_gates(gates: list[Gate]) -> bool:
    """Print every number with its bound; return whether all hold."""
    for gate in gates:
        sign = ">=" if gate.is_least else "<="
        bound = "" if gate.bound is None else f"  ({sign} {gate.bound:g})"
        mark = "" if gate.bound is None else ("  ok" if gate.holds else "  FAILS")
        print(f"{gate.name}: {gate.value:.4g}{bound}{mark}")
    return all(gate.holds for gate in gates)
