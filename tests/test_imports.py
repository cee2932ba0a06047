"""How the package is found, and what its parts may know of one another: imports point down."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import voxcycle

ROOT = Path(voxcycle.__file__).parent
ANYWHERE = {"files", "console"}  # may be imported by all and import nothing of ours
# What a package may import beside itself; whatever those packages may, it may too. A name with a
# dot stands for that subpackage alone.
TABLE: dict[str, set[str]] = {
    "artifacts": set(),
    "audio": set(),
    "runtime": {"audio"},
    "models": {"runtime"},
    "losses": {"audio"},
    "methods": {"models", "losses"},
    "training": {"methods", "artifacts"},
    "vocoders": {"runtime", "artifacts"},
    "voices": {"runtime", "artifacts"},
    "conversion": {"voices", "vocoders"},
    "evaluation": {"conversion"},
    "speech": {"training", "evaluation"},
    "images": {"training", "evaluation.stats"},
    "web": {"speech"},
    "cli": {"web", "images"},
}
PUBLIC = {"__init__", "__main__"}  # the package's face: may import anything


def find_allowed(package):
    """Return all that a package may import, itself included."""
    allowed = {package}
    for name in TABLE.get(package, set()):
        allowed |= find_allowed(name)
    return allowed


def find_imports(path):
    """Return the modules of ours that a file imports, without `voxcycle.`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("voxcycle.") for name in names if name.startswith("voxcycle.")}


def list_files():
    return [path for path in ROOT.rglob("*.py") if path.stem not in PUBLIC or path.parent != ROOT]


@pytest.mark.parametrize("path", list_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    package = path.relative_to(ROOT).parts[0].removesuffix(".py")
    allowed = set() if package in ANYWHERE else find_allowed(package) | ANYWHERE
    strange = {
        name
        for name in find_imports(path)
        if not any(name == place or name.startswith(f"{place}.") for place in allowed)
    }
    assert not strange, f"{package} may import {', '.join(sorted(allowed)) or 'nothing of ours'}"


def test_the_table_names_every_package():
    packages = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    modules = {path.stem for path in ROOT.glob("*.py")} - PUBLIC - ANYWHERE
    assert packages | modules <= set(TABLE)


def test_a_folder_of_the_packages_name_does_not_hide_it(tmp_path):
    """A clone is named voxcycle as a rule, and scripts lie beside it."""
    (tmp_path / "voxcycle").mkdir()
    code = "import voxcycle; voxcycle.load_voice('heart')"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


CONVERTING = """
import sys
for name in ("torch", "scipy", "librosa", "torchaudio", "pyworld", "matplotlib", "joblib"):
    sys.modules[name] = None
import voxcycle
from voxcycle.conversion.batch import convert_files
[result] = convert_files(sys.argv[1], "heart", sys.argv[2])
assert result.error is None, result.error
import voxcycle.cli.convert, voxcycle.cli.voices, voxcycle.cli.doctor, voxcycle.cli.export
import voxcycle.conversion.self_test, voxcycle.speech.clone
"""


def test_converting_and_cloning_need_none_of_the_packages_of_trainings(tmp_path):
    recording = ROOT.parent / "recipes/demo.flac"
    command = [sys.executable, "-c", CONVERTING, recording, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_onnx_runtime_reports_nothing_to_its_maker(tmp_path):
    """By default it keeps an identifier in the user's cache and sends what it runs."""
    silenced = ("CI", "ORT_", "XDG_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(silenced)}
    code = "from voxcycle.audio.f0 import load_tracker; load_tracker()"
    environment = kept | {"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert not [path for path in tmp_path.rglob("*") if "onnxruntime" in path.name]
