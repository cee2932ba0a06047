"""The rule that ties every measured number in a Markdown table to a result file.

A table row names its files by links to `results/ID.json` in its first cell. Every number in its
other cells, printed with d decimals, must equal a number of one of these files rounded to d
decimals (times 100 where `%` follows). Code spans and link targets are not read. A row that has
numbers and names no file is reported too.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from voxcycle.evaluation.report.results import Result

FILE = re.compile(r"\]\([^)\s]*results/([a-z0-9-]+)\.json\)")
NUMBER = re.compile(r"(?<![\w.,-])(-?\d[\d,]*(?:\.\d+)?)(?: ?(%))?(?![\w.]*\w)")
IGNORED = re.compile(r"`[^`]*`|\]\([^)]*\)")
RULER = re.compile(r"^\|[\s|:-]+\|$")


class UnknownNumber(NamedTuple):
    """A number of a table row that its result files do not hold."""

    row: str
    number: str
    files: tuple[str, ...]

    def __str__(self) -> str:
        """Say it in one sentence."""
        if not self.files:
            return f"{self.number} stands in a row that links no results/ID.json: {self.row}"
        names = ", ".join(f"results/{name}.json" for name in self.files)
        return f"{self.number} is not in {names}: {self.row}"


def table_rows(markdown: str) -> list[str]:
    """Return the body rows of all pipe tables, without headers and rulers."""
    lines = [line.strip() for line in markdown.splitlines()]
    follows = [*lines[1:], ""]
    return [
        line
        for line, after in zip(lines, follows, strict=True)
        if line.startswith("|") and not RULER.match(line) and not RULER.match(after)
    ]


def find_unknown_numbers(markdown: str, results: Mapping[str, Result]) -> list[UnknownNumber]:
    """Return every number of the tables that is in none of the files its row links."""
    unknown = []
    for row in table_rows(markdown):
        first, *cells = row.strip("|").split("|")
        names = tuple(FILE.findall(first))
        values = [value for name in names if name in results for value in results[name].numbers()]
        text = IGNORED.sub("", " | ".join(cells))
        for number, percent in NUMBER.findall(text):
            if not _is_among(number, percent == "%", values):
                unknown.append(UnknownNumber(row, f"{number}{' %' if percent else ''}", names))
    return unknown


def _is_among(number: str, is_percent: bool, values: Iterable[float]) -> bool:
    """Return whether a printed number is one of the values, rounded as it is printed."""
    plain = number.replace(",", "")
    n_decimals = len(plain.partition(".")[2])
    spec = f".{n_decimals}{'%' if is_percent else 'f'}"
    return any(format(value, spec).rstrip("%") == plain for value in values)
