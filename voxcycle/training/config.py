"""Configurations of trainings: what all of them share, and how they are read, kept and resumed."""

import difflib
import json
import os
import reprlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from voxcycle.files import CHECKPOINT_FILE, CONFIG_FILE, check_folder, replacing

# Problem and remedy of a wrong value, by pydantic's type of error.
PROBLEMS = {
    "missing": "it has no default; give {key}=VALUE",
    "greater_than": "{value} is too small; give more than {limit:g}",
    "greater_than_equal": "{value} is too small; give {limit:g} or more",
    "less_than": "{value} is too large; give less than {limit:g}",
    "less_than_equal": "{value} is too large; give {limit:g} or less",
    "multiple_of": "{value} is not a multiple of {limit:g}; give one",
    "too_short": "too few values; give at least {limit:g}",
    "literal_error": "{value} is unknown; give {limit}",
    "int": "{value} is not a whole number; give one",
    "float": "{value} is not a number; give one",
    "bool": "{value} is neither true nor false; give one of them",
    "string": "{value} is not text; put it in quotes",
    "path": "{value} is not a path; give the name of a file or folder",
    "tuple": "{value} is not a list; give [VALUE, VALUE]",
}

# What PyYAML lets pass of values under a wrong tag or too deep: `!!bool x`, 2001-99-99, [[[...
NO_YAML = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
SHORT = reprlib.Repr()
SHORT.maxlevel, SHORT.maxstring = 2, 60
MAX_SHOWN = 100  # characters of a wrong value


class TrainingConfig(BaseModel):
    """What every training needs to know; unknown keys are errors.

    Attributes:
        free_on_resume: what may differ from the run that is resumed; all else is the run's.
        movable: files and folders that may have moved; the training checks what they hold.
        listing: the command that lists the settings, for messages.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    free_on_resume: ClassVar[frozenset[str]] = frozenset(
        {"steps", "out", "threads", "workers", "accelerator", "devices", "num_nodes", "precision"}
        | {"checkpoint_every", "log_every"}
    )
    movable: ClassVar[frozenset[str]] = frozenset()
    listing: ClassVar[str] = "the recipe's --help"

    out: Path = Field(description="folder of the run: config, logs, checkpoint, results")
    seed: int = Field(0, ge=0, description="of weights and of everything that is drawn")
    threads: int = Field(
        0, ge=0, description="CPU threads; 0 takes torch's, one per core or OMP_NUM_THREADS"
    )
    steps: int | None = Field(None, ge=1, description="iterations")
    workers: int = Field(0, ge=0, description="processes that make batches ahead of time")
    accelerator: Literal["cpu", "cuda"] = Field("cpu", description="where it is trained")
    devices: int = Field(
        1, ge=1, description="of the accelerator, on this machine; the batch is shared among them"
    )
    num_nodes: int = Field(1, ge=1, description="machines on which this command is started")
    precision: Literal["32-true", "bf16-mixed"] = Field(
        "32-true", description="of the arithmetic; weights are always float32"
    )
    ema_decay: float = Field(0.999, ge=0, lt=1, description="of the averaged networks")
    falling: float = Field(
        0.0, ge=0, le=1, description="share of the steps, the last, in which learning rates fall"
    )
    checkpoint_every: int = Field(500, ge=1, description="steps between checkpoints")
    log_every: int = Field(25, ge=1, description="steps between scalars")

    @field_validator("*")
    @classmethod
    def _expand_home(cls, value: Any) -> Any:
        return _map_paths(value, lambda path: Path(os.path.expanduser(path)))

    def settle(self) -> Self:
        """Return it with the values that follow from others, which may change on a resumption."""
        return self


Config = TypeVar("Config", bound=TrainingConfig)


def is_main_process(config: TrainingConfig) -> bool:
    """Return whether this is rank 0 of a training, which alone writes files and prints."""
    ranks = ("RANK", "NODE_RANK", "LOCAL_RANK", "SLURM_PROCID")
    is_alone = config.devices * config.num_nodes == 1
    return is_alone or not any(int(os.environ.get(rank, 0)) for rank in ranks)


def save_config(config: TrainingConfig) -> None:
    """Write the settled config into the folder of the run, with absolute paths."""
    if not is_main_process(config):
        return
    paths = {
        key: _map_paths(getattr(config, key), Path.absolute) for key in type(config).model_fields
    }
    values = json.loads(config.model_copy(update=paths).model_dump_json())
    with replacing(config.out / CONFIG_FILE) as partial:
        partial.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def resume_config(given: Config) -> Config:
    """Return the stored config of the run in `given.out`, with what may be new taken from `given`.

    Paths are compared with links resolved. The run may have moved: paths inside it follow.

    Raises:
        ValueError: a setting given explicitly differs from the run's, or does not fit with them.
    """
    try:
        stored = load_config(type(given), {}, given.out / CONFIG_FILE).settle()
    except ValueError as error:
        raise ValueError(f"{given.out / CONFIG_FILE}: {error}") from None
    run = given.out.absolute()
    values = {
        key: _map_paths(value, lambda path: move_path(path, stored.out, run))
        for key, value in dict(stored).items()
    }
    free = set(given.model_fields_set & given.free_on_resume)
    for key in sorted(given.model_fields_set - free):
        old, new = values[key], _map_paths(getattr(given, key), Path.absolute)
        if _map_paths(old, Path.resolve) == _map_paths(new, Path.resolve):
            continue
        if key in given.movable:
            free.add(key)
        else:
            raise ValueError(
                f"{given.out}: this run was started with {key}={old}, not {new}; leave {key} out, "
                "or start another run in another folder"
            )
    new_values = {key: getattr(given, key) for key in free if getattr(given, key) is not None}
    if stored.steps is not None and "steps" not in new_values:
        new_values.pop("minutes", None)  # they have become these steps
    try:
        return load_config(type(given), values | new_values | {"out": given.out})
    except ValueError as error:
        raise ValueError(f"{given.out}: with the settings of this run, {error}") from None


def move_path(path: Path, old: Path, new: Path) -> Path:
    """Return where a file is after its folder `old` became `new`; other files stay."""
    return new / path.relative_to(old) if path.is_relative_to(old) else path


def _map_paths(value: Any, change: Callable[[Path], Path]) -> Any:
    """Return a setting with changed paths, also within a tuple or a dict."""
    if isinstance(value, Path):
        return change(value)
    if isinstance(value, tuple):
        return tuple(_map_paths(item, change) for item in value)
    if isinstance(value, dict):
        return {key: _map_paths(item, change) for key, item in value.items()}
    return value


def check_run(out: Path, resume: bool) -> Path:
    """Return where the run's checkpoint is; ValueError unless it is there exactly if resumed.

    NotADirectoryError where the run's folder is a file.
    """
    check_folder(out)
    checkpoint = out / CHECKPOINT_FILE
    if resume and not checkpoint.exists():
        raise ValueError(f"{out}: no checkpoint to resume; start without --resume")
    if not resume and checkpoint.exists():
        raise ValueError(
            f"{out}: holds a training already; add --resume to go on with it, or name "
            "another folder with --out"
        )
    return checkpoint


def load_config(kind: type[Config], values: dict[str, Any], path: Path | None = None) -> Config:
    """Build a config from a YAML file, overridden by `values`.

    Raises:
        ValueError: one sentence per wrong setting; an unknown one names those that are like it.
    """
    stored = read_settings(path) if path is not None else {}
    if {"steps", "minutes"} & values.keys():  # either one replaces both of the file
        stored = {k: v for k, v in stored.items() if k not in ("steps", "minutes")}
    try:
        return kind(**(stored | values))
    except ValidationError as error:
        lines: dict[str, str] = {}
        for problem in error.errors():
            key = str(problem["loc"][0]) if problem["loc"] else ""
            lines.setdefault(key, _describe_problem(kind, key, problem))
        raise ValueError("; ".join(lines.values())) from None


def _describe_problem(kind: type[TrainingConfig], key: str, problem: ErrorDetails) -> str:
    """Return one sentence about a setting that pydantic refuses."""
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, list_fields(kind), cutoff=0.5)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        return f"unknown key {key}; {meant}{kind.listing} lists them all"
    name = problem["type"]
    words = PROBLEMS.get(name) or PROBLEMS.get(name.partition("_")[0])
    if words is None:
        words = problem["msg"].removeprefix("Value error, ")
    else:
        context = problem.get("ctx", {})
        limits = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "expected")
        limit = next((context[limit] for limit in limits if limit in context), None)
        words = words.format(key=key, value=_shorten(problem["input"]), limit=limit)
    return f"{key}: {words}" if key else words


def _shorten(value: Any) -> str:
    """Return a wrong value for a message; a few letters of YAML can mean millions of values."""
    if isinstance(value, list | tuple | dict):
        return SHORT.repr(value)
    try:
        text = write_value(value)
    except ValueError:  # too many digits
        return "the number"
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def read_settings(path: Path) -> dict[str, Any]:
    """Read a YAML file of settings, as they are."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file of settings")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not UTF-8 text; save the settings as such") from None
    loaded = _read_yaml(text, str(path)) or {}
    if not isinstance(loaded, dict) or not all(isinstance(key, str) for key in loaded):
        raise ValueError(f"{path}: settings are lines of the form key: value")
    return loaded


def list_fields(kind: type[TrainingConfig]) -> dict[str, FieldInfo]:
    """Return the settings that there are to set."""
    fields = kind.model_fields.items()
    return {key: field for key, field in fields if field.repr and not field.exclude}


def write_value(value: Any) -> str:
    """Return a setting's value as it is typed behind `key=`."""
    return json.dumps(value, default=str, ensure_ascii=False).strip('"')


def parse_overrides(pairs: list[str]) -> dict[str, Any]:
    """Read `key=value` words of a command line; values are YAML."""
    values = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"{pair!r}: settings are written key=value")
        values[key] = _read_yaml(value, pair)
    return values


def _read_yaml(text: str, name: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, *NO_YAML) as error:
        problem = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{name}: cannot be read as YAML ({problem})") from None
