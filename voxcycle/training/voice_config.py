"""The configuration of a voice training: every weight and switch, documented."""

import difflib
import json
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator


class VoiceTrainingConfig(BaseModel):
    """What `train_voice` needs to know; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    a: Path = Field(description="folder of domain a; with any_to_one, one subfolder per speaker")
    b: Path = Field(description="folder of domain b")
    name_a: str = Field("", description="name of voice a; empty takes the folder's name")
    name_b: str = Field("", description="name of voice b; empty takes the folder's name")
    any_to_one: bool = Field(
        False, description="domain a is a pool of speakers; only voice b is made, for any source"
    )
    out: Path = Field(Path("runs/voice"), description="folder of the run: config, split, logs")
    language: str = Field("", description="language of both voices, as in en or nl")
    sex_a: str = Field("", description="sex of speaker a, for the voice list")
    sex_b: str = Field("", description="sex of speaker b, for the voice list")
    licence: str = Field("", description="licence of the voices made")
    consent: str = Field("", description="statement that the speakers agreed, kept in the voices")

    start: Path | None = Field(
        None, description="checkpoint of another run, whose networks and steps to begin with"
    )
    steps: int | None = Field(
        None, ge=1, description="iterations, those of start included; exclusive with minutes"
    )
    minutes: float | None = Field(
        None, gt=0, description="wall time; becomes a number of steps after a speed probe"
    )
    seed: int = Field(0, description="of weights, crops, masks, warps and the split")
    threads: int = Field(0, ge=0, description="CPU threads; 0 takes all cores")
    device: Literal["cpu", "cuda"] = Field("cpu", description="where it is trained")

    batch_size: int = Field(4, ge=1, description="crops per domain and iteration")
    n_frames: int = Field(64, ge=32, description="frames per crop, a multiple of 8")
    max_masked_frames: int = Field(20, ge=0, description="longest filling-in mask; 0 for none")
    is_perturbed: bool = Field(
        True, description="feed the identity loss warped, filtered speech; false: the plain crop"
    )
    separates_pitch: bool = Field(
        True, description="perturb by WORLD resyntheses too: pitch moved far, formants a little"
    )
    bends_bands: bool = Field(False, description="perturb by shifting formants one by one, too")
    blurs_bands: bool = Field(False, description="perturb by blurring and hiding bands, too")
    perturbed_source: float = Field(
        0.0, ge=0, le=1, description="share of the crops of a that G_ab is given perturbed"
    )
    conditions_source: bool = Field(
        True, description="any_to_one: tell G_ba and D_a which speaker of the pool is meant"
    )
    uses_f0: bool = Field(True, description="show the generators the excitation of the output")
    sees_excitation: bool = Field(True, description="show it to the discriminators as well")
    judges_identity: bool = Field(
        True, description="let the discriminators judge the identity outputs too"
    )

    networks: Literal["voxcycle", "maskcyclegan-vc"] = Field(
        "voxcycle",
        description="ours, or those published for MaskCycleGAN-VC: 60 times the arithmetic",
    )
    width: int = Field(192, ge=8, description="channels of the generators")
    has_skip: bool = Field(
        True, description="the generators correct the source mel instead of making it anew"
    )
    n_blocks: int = Field(6, ge=1, description="blocks of the generators")
    discriminator_widths: tuple[int, ...] = Field(
        (32, 64, 128, 128), description="channels of the discriminators' layers"
    )
    spectrum_width: int = Field(
        0, ge=0, description="channels of the discriminators over whole spectra; 0 builds none"
    )

    adversarial_a: float = Field(2.0, ge=0, description="weight: D_a on outputs of G_ba")
    adversarial_b: float = Field(2.0, ge=0, description="weight: D_b on outputs of G_ab")
    cycle_a: float = Field(5.0, ge=0, description="weight: a to b to a")
    cycle_b: float = Field(5.0, ge=0, description="weight: b to a to b")
    identity_a: float = Field(10.0, ge=0, description="weight: perturbed a to a")
    identity_b: float = Field(10.0, ge=0, description="weight: perturbed b to b")
    second_adversarial: float = Field(
        0.0, ge=0, description="weight of the two-step adversarial loss; 0 builds no second judges"
    )
    generator_rate: float = Field(3e-4, gt=0, description="learning rate of the generators")
    discriminator_rate: float = Field(2e-4, gt=0, description="learning rate of the judges")
    adam_betas: tuple[float, float] = Field((0.5, 0.99), description="of all optimizers")
    clip: float | None = Field(
        5.0, gt=0, description="largest gradient norm of the generators; null for none"
    )
    ema_decay: float = Field(0.999, ge=0, lt=1, description="of the averaged generators")

    checkpoint_every: int = Field(500, ge=1, description="steps between checkpoints")
    log_every: int = Field(25, ge=1, description="steps between scalars")
    samples: int = Field(
        10,
        ge=0,
        description="validations in a run: losses, audio, pictures; 0 for none, and no judging",
    )

    @model_validator(mode="after")
    def _one_length(self) -> "VoiceTrainingConfig":
        if self.steps is not None and self.minutes is not None:
            raise ValueError("give steps or minutes, not both")
        if self.n_frames % 8:
            raise ValueError(f"n_frames={self.n_frames} must be a multiple of 8")
        blind = ["uses_f0", "sees_excitation"] + ["conditions_source"] * self.any_to_one
        told = [name for name in blind if getattr(self, name)]
        if self.networks == "maskcyclegan-vc" and told:
            raise ValueError(
                "the published networks are told neither F0 nor speakers: set "
                + " ".join(f"{name}=false" for name in told)
            )
        if self.max_masked_frames >= self.n_frames:
            raise ValueError(f"max_masked_frames={self.max_masked_frames} must be below n_frames")
        return self

    def voice_names(self) -> list[str]:
        """Return the names of the voices made: b, then a unless a is a pool."""
        name_b = self.name_b or self.b.absolute().name
        return [name_b] if self.any_to_one else [name_b, self.name_a or self.a.absolute().name]


# What may differ from the run that is resumed; all else is the run's.
FREE_ON_RESUME = {
    *("steps", "minutes", "out", "threads", "device", "checkpoint_every", "log_every", "samples")
}


def save_config(config: VoiceTrainingConfig) -> None:
    """Write the settled config beside the run, with absolute folders."""
    values = json.loads(config.model_dump_json())
    paths = {key: getattr(config, key) for key in ("a", "b", "start")}
    values |= {key: str(path.absolute()) for key, path in paths.items() if path is not None}
    path = config.out / "config.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def resume_config(given: VoiceTrainingConfig) -> VoiceTrainingConfig:
    """Return the stored config of the run in `given.out`, with what may be new taken from `given`.

    Raises:
        ValueError: a setting that was given explicitly differs from the run's.
    """
    stored = load_config({}, given.out / "config.yaml")
    for key in sorted(given.model_fields_set - FREE_ON_RESUME):
        old, new = getattr(stored, key), getattr(given, key)
        if isinstance(new, Path):
            new = new.absolute()
        if old != new:
            raise ValueError(
                f"{given.out}: this run was started with {key}={old}, not {new}; leave {key} away, "
                "or start another run with --out"
            )
    new_values = {
        key: getattr(given, key) for key in given.model_fields_set & FREE_ON_RESUME - {"minutes"}
    }
    # The stored number of steps stands unless another number is named: minutes were its origin.
    if new_values.get("steps") is None:
        new_values["steps"] = stored.steps
    return stored.model_copy(update=new_values | {"out": given.out})


def load_config(values: dict[str, Any], path: Path | None = None) -> VoiceTrainingConfig:
    """Build a config from a YAML file, overridden by `values`.

    Raises:
        ValueError: one sentence per wrong field; unknown fields are answered with the known ones.
    """
    merged: dict[str, Any] = {}
    if path is not None:
        loaded = _read_yaml(path.read_text(encoding="utf-8"), str(path)) or {}
        if not isinstance(loaded, dict):
            raise ValueError(f"{path}: settings are lines of the form key: value")
        merged |= loaded
        if {"steps", "minutes"} & values.keys():  # either one replaces both of the file
            merged.pop("steps", None)
            merged.pop("minutes", None)
    merged |= values
    try:
        return VoiceTrainingConfig(**merged)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            key = ".".join(str(part) for part in problem["loc"])
            if problem["type"] == "extra_forbidden":
                lines.append(f"unknown key {key}; {_suggest(key)}")
            else:
                lines.append(f"{key}: {problem['msg']}" if key else problem["msg"])
        raise ValueError("; ".join(lines)) from None


def _suggest(key: str) -> str:
    near = difflib.get_close_matches(key, VoiceTrainingConfig.model_fields, cutoff=0.5)
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    return f"{meant}voxcycle train --settings lists them all"


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
    except yaml.YAMLError as error:
        raise ValueError(f"{name}: cannot be read as YAML ({error})".replace("\n", " ")) from None
