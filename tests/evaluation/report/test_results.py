"""Result files, the pages made from them, and the rule that ties numbers to files."""

import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import jinja2
import pytest
from pydantic import ValidationError

from voxcycle.evaluation.report.results import Bar, Result, load_results, read_result, write_result
from voxcycle.evaluation.report.results_page import (
    BEGIN,
    END,
    find_differences,
    find_unknown_numbers,
    main,
    make_files,
    print_bound,
    print_number,
    print_verdict,
    render,
    table_rows,
)

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "results").glob("*.json"))


def make_fields(**changes):
    """Return the fields of a small result."""
    fields: dict[str, Any] = {
        "id": "voice-test",
        "title": "a voice",
        "status": "current",
        "rows": [{"row": "test", "speaker": "mean", "wer": 0.0275, "nearer_target": 0.9875}],
        "bars": [{"what": "WER", "measured": 0.0275, "at_most": 0.03, "passes": True}],
        "command": "voxcycle evaluate",
        "commit": None,
        "corpus_sha256": None,
        "seed": 7,
        "steps": 3000,
        "machine": "a laptop",
        "wall_s": 12.5,
        "date": None,
        "recorded": "by hand, RESULTS.md at dea698d",
        "notes": [],
    }
    return fields | changes


@pytest.fixture
def copy(tmp_path):
    """A copy of the pages and of the result files."""
    shutil.copytree(ROOT / "results", tmp_path / "results")
    for name in ("README.md", "RESULTS.md"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    return tmp_path


def test_pages_are_what_the_generator_makes():
    """And every number of their tables is in the linked files."""
    results = load_results(ROOT / "results")
    for path, text in make_files(ROOT).items():
        assert path.read_text(encoding="utf-8") == text, path.name
        assert find_unknown_numbers(text, results) == []
    assert find_differences(ROOT) == []


def test_the_pages_keep_their_size():
    assert len((ROOT / "RESULTS.md").read_text(encoding="utf-8").splitlines()) <= 150
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 180
    voices, by_condition = readme.partition(BEGIN)[2].partition(END)[0].strip().split("\n\n")
    assert 1 <= len(table_rows(voices)) <= 8 and len(table_rows(by_condition)) == 3


def find_similarity(root):
    """Return heart's similarity to its speaker."""
    heart = load_results(root / "results")["voice-heart"]
    return heart.row(row="heart", speaker="mean")["secs_target"]


def test_a_number_altered_in_the_readme_fails_the_check(copy, capsys):
    assert main(["--check", "--root", str(copy)]) == 0
    readme = copy / "README.md"
    text = readme.read_text(encoding="utf-8")
    similarity = format(find_similarity(copy), ".3f")
    assert similarity in text
    readme.write_text(text.replace(similarity, "0.123"), encoding="utf-8")
    assert main(["--check", "--root", str(copy)]) == 1
    said = capsys.readouterr().out
    assert "README.md differs" in said and "0.123 is not in results/voice-heart.json" in said
    assert main(["--root", str(copy)]) == 0  # made again, the pages agree
    assert readme.read_text(encoding="utf-8") == text


def test_an_altered_result_file_fails_the_check(copy):
    path = copy / "results" / "voice-heart.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(str(find_similarity(copy)), "0.911"), encoding="utf-8")
    assert any("RESULTS.md differs" in problem for problem in find_differences(copy))


def test_a_readme_without_its_marks_is_refused(copy):
    readme = copy / "README.md"
    readme.write_text(readme.read_text(encoding="utf-8").replace(END, ""), encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(END)):
        make_files(copy)


def test_a_page_cannot_name_a_superseded_result(tmp_path):
    template = tmp_path / "page.md.j2"
    template.write_text('{{ results["voice-test"].title }}', encoding="utf-8")
    current, old = Result(**make_fields()), Result(**make_fields(status="superseded"))
    assert render(template, {"voice-test": current}) == "a voice"
    with pytest.raises(jinja2.UndefinedError):
        render(template, {"voice-test": old})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_result_files_are_written_as_they_are_read(path, tmp_path):
    written = write_result(read_result(path), tmp_path)
    assert written.name == path.name
    assert written.read_bytes() == path.read_bytes()


BAD: list[tuple[dict[str, Any], str]] = [
    ({"colour": "red"}, "colour"),
    ({"colour": "red"}, "corpus_sha256"),  # a known key
    ({"status": "old"}, "status"),
    ({"rows": []}, "rows"),
    ({"id": "Voice Test"}, "id"),
    ({"id": "another"}, "another"),
    ({"date": "yesterday"}, "date"),
    ({"rows": [{"wer": [1]}]}, "rows.0.wer"),
    ({"bars": [{"what": "WER", "measured": 0.5, "at_most": 0.1, "passes": True}]}, "passes: false"),
    ({"bars": [{"what": "WER", "measured": 0.5, "passes": True}]}, "at_least or at_most"),
    ({"recorded": "automatic"}, "commit and date"),
]


@pytest.mark.parametrize(("changes", "named"), BAD, ids=[named for _, named in BAD])
def test_a_bad_file_is_refused_in_one_sentence(changes, named, tmp_path):
    path = tmp_path / "voice-test.json"
    path.write_text(json.dumps(make_fields(**changes)), encoding="utf-8")
    with pytest.raises(ValueError) as refusal:
        load_results(tmp_path)
    said = str(refusal.value)
    assert said.startswith(f"{path}: ") and named in said and "\n" not in said
    assert "orrect the" in said  # the remedy
    assert not isinstance(refusal.value, ValidationError)


def test_truncated_and_missing_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_results(tmp_path)
    path = tmp_path / "voice-test.json"
    path.write_text(json.dumps(make_fields())[:-20], encoding="utf-8")
    with pytest.raises(ValueError, match="JSON"):
        load_results(tmp_path)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_infinite_numbers_are_refused(value):
    with pytest.raises(ValidationError):
        Result(**make_fields(rows=[{"wer": value}]))


def test_a_row_is_found_by_its_labels():
    result = Result(**make_fields(rows=[{"row": "a", "wer": 1}, {"row": "b", "wer": 2}]))
    assert result.row(row="b")["wer"] == 2
    with pytest.raises(KeyError):
        result.row(row="c")
    assert result.numbers() == [1, 2, 0.0275, 0.03, 3000, 12.5]  # no seed


def test_numbers_bounds_and_verdicts_as_printed():
    printed = [print_number(x, s) for x, s in ((0.9875, ".1%"), (None, ".3f"), (1189, ",g"))]
    assert printed == ["98.8 %", "", "1,189"]
    bar = Bar(what="KL", measured=17.25, at_least=8, at_most=25, spec=".1f", passes=True)
    assert (print_bound(bar), print_verdict(bar)) == ("at least 8.0, at most 25.0", "17.2 pass")
    fails = Bar(what="SECS", measured=0.85, at_least=0.86, spec=".2f", passes=False)
    assert print_verdict(fails) == "0.85 **fail**"


LINK = "[x](results/voice-test.json)"


@pytest.mark.parametrize(
    ("row", "unknown"),
    [
        (f"| {LINK} 99 | 0.028 | 98.8 % | 3,000 |", []),  # the first cell is a label
        (f"| {LINK} | 0.0275 pass | at most 0.03 | `0.5` |", []),
        (f"| {LINK} | 0.029 | 98.7 % | 3,001 |", ["0.029", "98.7 %", "3,001"]),
        (f"| {LINK} | 0.988 % |", ["0.988 %"]),  # a share of one is no per cent
        (f"| {LINK} | 7 |", ["7"]),  # seeds do not count
        ("| no file | 0.028 | words |", ["0.028"]),
        ("| no file | words only | `--steps 9` |", []),
        ("| [y](results/missing.json) | 0.028 |", ["0.028"]),
    ],
)
def test_the_rule_of_numbers(row, unknown):
    """Expected by hand: 0.0275 prints as 0.028 (3 decimals), 0.9875 as 98.8 %."""
    results = {"voice-test": Result(**make_fields())}
    found = find_unknown_numbers(f"| a | b 12 |\n|---|---|\n{row}\n", results)
    assert [number.number for number in found] == unknown


def test_the_index_lists_every_experiment():
    folder = ROOT / "docs" / "experiments"
    pages = {path.name for path in folder.glob("*.md")} - {"README.md"}
    index = (folder / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", index)) == pages
    for name in pages:
        text = (folder / name).read_text(encoding="utf-8")
        titles = re.findall(r"^## (.*)", text, re.MULTILINE)
        assert titles == ["Question", "Set-up", "Table", "Verdict"], name


@pytest.mark.parametrize("page", ["README.md", "RESULTS.md", "docs/experiments/README.md"])
def test_links_lead_somewhere(page):
    path = ROOT / page
    targets = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert targets and all((path.parent / target).exists() for target in targets)
