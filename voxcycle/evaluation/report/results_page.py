"""Make RESULTS.md and the README's table of numbers from the result files.

    python -m voxcycle.evaluation.report.results_page [--check] [--root FOLDER]

The texts around the numbers are the templates `results/RESULTS.md.j2` and `results/numbers.md.j2`.

A row of a Markdown table names its result files by links to `results/ID.json` in its first cell.
Every number in its other cells, printed with d decimals, must equal a number of one of these files
rounded to d decimals (times 100 where `%` follows). Code spans and link targets are not read. A row
that has numbers and names no file is reported too.
"""

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from voxcycle.evaluation.report.results import Bar, Result, Value, load_results
from voxcycle.files import replacing

FILE = re.compile(r"\]\([^)\s]*results/([a-z0-9-]+)\.json\)")
NUMBER = re.compile(r"(?<![\w.,-])(-?\d[\d,]*(?:\.\d+)?)(?: ?(%))?(?![\w.]*\w)")
IGNORED = re.compile(r"`[^`]*`|\]\([^)]*\)")
RULER = re.compile(r"^\|[\s|:-]+\|$")
BEGIN, END = "<!-- numbers: made by results_page -->", "<!-- end of numbers -->"


def print_number(value: Value, spec: str = ".3f") -> str:
    """Return a number as the page prints it: `98.8 %`, `3,509`, nothing for a missing score."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return format(value, spec).replace("%", " %")


def print_bound(bar: Bar) -> str:
    """Return a bar's bound in words."""
    limits = {"at least": bar.at_least, "at most": bar.at_most}
    known = {words: limit for words, limit in limits.items() if limit is not None}
    return ", ".join(f"{words} {print_number(limit, bar.spec)}" for words, limit in known.items())


def print_verdict(bar: Bar) -> str:
    """Return the measured number of a bar and whether it passes."""
    return f"{print_number(bar.measured, bar.spec)} {'pass' if bar.passes else '**fail**'}"


def render(template: Path, results: dict[str, Result]) -> str:
    """Fill a template; only current results can be named in it.

    Raises:
        jinja2.UndefinedError: the template names a result that is missing or superseded.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    current = {name: result for name, result in results.items() if result.status == "current"}
    environment.filters |= {"n": print_number, "bound": print_bound, "verdict": print_verdict}
    return environment.from_string(template.read_text(encoding="utf-8")).render(results=current)


def make_files(root: Path) -> dict[Path, str]:
    """Return the texts of RESULTS.md and of README.md with its table of numbers renewed.

    Raises:
        ValueError: the README lacks the two comments between which the table stands.
    """
    results = load_results(root / "results")
    readme = root / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{readme}: the table of numbers needs the lines {BEGIN} and {END}")
    numbers = render(root / "results" / "numbers.md.j2", results)
    return {
        root / "RESULTS.md": render(root / "results" / "RESULTS.md.j2", results),
        readme: f"{before}{BEGIN}\n{numbers}{END}{after}",
    }


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
            plain = number.replace(",", "")
            spec = f".{len(plain.partition('.')[2])}{percent or 'f'}"  # as it is printed
            if not any(format(value, spec).rstrip("%") == plain for value in values):
                unknown.append(UnknownNumber(row, f"{number}{' %' if percent else ''}", names))
    return unknown


def find_differences(root: Path) -> list[str]:
    """Return a sentence for each file and number that disagrees with the result files."""
    results = load_results(root / "results")
    problems = []
    for path, text in make_files(root).items():
        found = path.read_text(encoding="utf-8") if path.exists() else ""
        if found != text:
            problems.append(
                f"{path.name} differs from the result files; "
                "run python -m voxcycle.evaluation.report.results_page"
            )
        problems += [f"{path.name}: {number}" for number in find_unknown_numbers(found, results)]
    return problems


def main(argv: list[str] | None = None) -> int:
    """Write or check the files and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on differences")
    parser.add_argument("--root", type=Path, default=Path(), help="folder of the repository")
    args = parser.parse_args(argv)
    if args.check:
        problems = find_differences(args.root)
        print("\n".join(problems) or "RESULTS.md and README.md agree with the result files")
        return 1 if problems else 0
    for path, text in make_files(args.root).items():
        with replacing(path) as partial:
            partial.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
