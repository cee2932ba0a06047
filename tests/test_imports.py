"""Imports point one way: what a package may know of the others."""

import ast
from pathlib import Path

import pytest

import voxcycle

ROOT = Path(voxcycle.__file__).parent
ANYWHERE = {"batches", "files"}  # modules that know nothing of the packages
KNOWS = {
    "audio": set(),
    "models": {"audio"},
    "losses": {"audio"},
    "data": {"audio"},
    "methods": {"models", "losses", "audio", "training.phases"},
}


def imported(path: Path) -> set[str]:
    """Return the modules of ours that a file imports, without `voxcycle.`."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.removeprefix("voxcycle.") for name in names if name.startswith("voxcycle.")}


@pytest.mark.parametrize("package", list(KNOWS))
def test_imports_point_one_way(package: str) -> None:
    files = list((ROOT / package).glob("*.py"))
    assert files
    known = KNOWS[package] | ANYWHERE | {package}
    for file in files:
        strange = {x for x in imported(file) if not {x, x.split(".")[0]} & known}
        assert not strange, file


@pytest.mark.parametrize("module", sorted(ANYWHERE))
def test_what_all_may_import_imports_nothing(module: str) -> None:
    assert imported(ROOT / f"{module}.py") == set()
