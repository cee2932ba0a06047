"""Where voxcycle keeps files of its own on the user's machine."""

import os
from pathlib import Path

import platformdirs

DATA_VARIABLE = "VOXCYCLE_DATA"


def cache_dir(name: str) -> Path:
    """Return the folder of one cache, which need not exist; what is in it can be made again."""
    return Path(platformdirs.user_cache_dir("voxcycle")) / name


def data_dir() -> Path:
    """Return the folder of what the user keeps, or that named by VOXCYCLE_DATA."""
    default = platformdirs.user_data_dir("voxcycle", appauthor=False)
    return Path(os.environ.get(DATA_VARIABLE) or default)
