"""Result files: one JSON per evaluation under `results/`, checked when written and when read.

A row of `rows` is flat: labels (`row`, `speaker`) are strings, numbers carry the names that
`metrics.json` uses. Shares are 0 to 1; missing scores are `null`.
"""

import datetime
import json
import math
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from voxcycle.files import replacing

Value = str | int | float | None
ID = r"^[a-z0-9]+(-[a-z0-9]+)*$"


class Bar(BaseModel):
    """A number that has to reach a bound."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: str
    """The quantity, with its unit where it has one."""
    measured: float = Field(allow_inf_nan=False)
    at_least: float | None = Field(default=None, allow_inf_nan=False)
    at_most: float | None = Field(default=None, allow_inf_nan=False)
    spec: str = ".4g"
    """Python format specification that prints the numbers, such as `.3f` or `.1%`."""
    passes: bool

    @model_validator(mode="after")
    def _verdict_agrees(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError(f"bar '{self.what}' needs at_least or at_most")
        holds = self.measured >= (-math.inf if self.at_least is None else self.at_least)
        holds = holds and self.measured <= (math.inf if self.at_most is None else self.at_most)
        if holds != self.passes:
            raise ValueError(f"bar '{self.what}' should say passes: {str(holds).lower()}")
        format(0.5, self.spec)
        return self


class Result(BaseModel):
    """One evaluation: what ran, on what, and the numbers that came out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=ID)
    """The name of the file without `.json`."""
    title: str
    status: Literal["current", "superseded"]
    rows: list[dict[str, Value]] = Field(min_length=1)
    bars: list[Bar] = []
    command: str
    """The command as it was run."""
    commit: str | None
    """The commit of the code that ran, or its version outside a clone; `null` if unknown."""
    corpus_sha256: str | None
    """Hash over the recordings; `null` if unknown."""
    seed: int | list[int] | None
    steps: int | list[int] | None
    """Training steps behind the numbers; `null` where nothing was trained."""
    machine: str
    wall_s: float | None
    date: datetime.date | None
    """Day on which the numbers were recorded."""
    recorded: str
    """`automatic`, or how the numbers came into the file."""
    notes: list[str] = []

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.recorded == "automatic" and (self.commit is None or self.date is None):
            raise ValueError("an automatic result needs commit and date")
        for number in self.numbers():
            if not math.isfinite(number):
                raise ValueError(f"{number} is not finite")
        return self

    def numbers(self) -> list[float]:
        """Return every number of the result: rows, bars, steps and wall time."""
        values: list[Value] = [value for row in self.rows for value in row.values()]
        for bar in self.bars:
            values += [bar.measured, bar.at_least, bar.at_most]
        values += self.steps if isinstance(self.steps, list) else [self.steps]
        values.append(self.wall_s)
        return [float(value) for value in values if isinstance(value, int | float)]

    def row(self, **labels: str) -> dict[str, Value]:
        """Return the only row with these labels.

        Raises:
            KeyError: no row has them, or several have.
        """
        found = [row for row in self.rows if labels.items() <= row.items()]
        if len(found) != 1:
            raise KeyError(f"results/{self.id}.json has {len(found)} rows with {labels}, not one")
        return found[0]


def write_result(result: Result, folder: Path) -> Path:
    """Write `ID.json` into the folder, replacing an older one, and return its path."""
    path = folder / f"{result.id}.json"
    fields = result.model_dump(mode="json")
    with replacing(path) as partial:
        partial.write_text(_to_json(fields), encoding="utf-8")
    return path


def load_results(folder: Path) -> dict[str, Result]:
    """Read every JSON file of a folder by `read_result`, in the order of their names.

    FileNotFoundError where there is none.
    """
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise FileNotFoundError(f"{folder}: no result files here; expected ID.json")
    return {path.stem: read_result(path) for path in paths}


def read_result(path: Path) -> Result:
    """Read and check one result file.

    Raises:
        ValueError: it is no result; the message names the file, the key and the remedy.
    """
    try:
        result = Result.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        known = (
            f" Known keys: {', '.join(Result.model_fields)}." if "extra" in first["type"] else ""
        )
        raise ValueError(
            f"{path}: {key + ': ' if key else ''}{first['msg']}.{known} Correct the file."
        ) from None
    if result.id != path.stem:
        raise ValueError(f"{path}: id is '{result.id}'; rename the file or correct the id.")
    return result


def _to_json(fields: dict[str, object]) -> str:
    """Return indented JSON with each row and each bar on a line of its own."""
    lines = []
    for key, value in fields.items():
        if key in ("rows", "bars") and isinstance(value, list) and value:
            items = ",\n".join(f"    {json.dumps(item, ensure_ascii=False)}" for item in value)
            lines.append(f'  "{key}": [\n{items}\n  ]')
        else:
            lines.append(f'  "{key}": {json.dumps(value, ensure_ascii=False)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"
