"""The configuration of a voice training: every weight and switch, documented."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from voxcycle.training.config import TrainingConfig

SHARPNESS = 0.15  # chosen on validation speakers (RESULTS.md)
MADE_WITH = ("base_share", "sharpness", "strength")  # settings of what is made of the weights


class MelCycleGANConfig(TrainingConfig):
    """What a voice's training and that of the base share: crops, networks, weights, rates."""

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
    rare_sounds: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the crops drawn so that rare sounds come as often as usual ones",
    )
    disguises: Path | None = Field(
        None,
        description="folder of recordings in other voices, SPEAKER/NAME/OTHER.flac for NAME.flac "
        "in a folder SPEAKER: the same words at the same times, as a synthesizer can say them; "
        "with prepares=false, which leaves the names as they are",
    )
    disguised: float = Field(
        0.5, ge=0, le=1, description="share of the perturbed crops that are taken from disguises"
    )
    perturbed_source: float = Field(
        0.0, ge=0, le=1, description="share of the crops of a that G_ab is given perturbed"
    )
    uses_f0: bool = Field(True, description="show the generators the excitation of the output")
    sees_excitation: bool = Field(True, description="show it to the discriminators as well")
    judges_identity: bool = Field(
        True, description="let the discriminators judge the identity outputs too"
    )

    width: int = Field(192, ge=8, description="channels of the generators")
    has_skip: bool = Field(
        False, description="the generators correct the source mel instead of making it anew"
    )
    n_blocks: int = Field(6, ge=1, description="blocks of the generators")
    discriminator_widths: tuple[int, ...] = Field(
        (32, 64, 128, 128), description="channels of the discriminators' layers"
    )
    spectrum_width: int = Field(
        256, ge=0, description="channels of the discriminators over whole spectra; 0 builds none"
    )

    adversarial_a: float = Field(2.5, ge=0, description="weight: D_a on outputs of G_ba")
    adversarial_b: float = Field(2.5, ge=0, description="weight: D_b on outputs of G_ab")
    cycle_a: float = Field(2.0, ge=0, description="weight: a to b to a")
    cycle_b: float = Field(2.0, ge=0, description="weight: b to a to b")
    identity_a: float = Field(10.0, ge=0, description="weight: perturbed a to a")
    identity_b: float = Field(10.0, ge=0, description="weight: perturbed b to b")
    second_adversarial: float = Field(
        0.0, ge=0, description="weight of the two-step adversarial loss; 0 builds no second judges"
    )
    generator_rate: float = Field(3e-4, gt=0, description="learning rate of the generators")
    discriminator_rate: float = Field(4e-4, gt=0, description="learning rate of the judges")
    adam_betas: tuple[float, float] = Field((0.5, 0.99), description="of all optimizers")
    clip: float | None = Field(
        5.0, gt=0, description="largest gradient norm of the generators; null for none"
    )

    @model_validator(mode="after")
    def _frames(self) -> "MelCycleGANConfig":
        if self.n_frames % 8:
            raise ValueError(f"n_frames={self.n_frames} must be a multiple of 8")
        if self.max_masked_frames >= self.n_frames:
            raise ValueError(f"max_masked_frames={self.max_masked_frames} must be below n_frames")
        return self


class VoiceTrainingConfig(MelCycleGANConfig):
    """What `train_voice` needs to know; unknown keys are errors."""

    free_on_resume: ClassVar[frozenset[str]] = TrainingConfig.free_on_resume | {
        *("minutes", "samples"),
        *MADE_WITH,
        *("licence", "consent", "sex_a", "sex_b"),  # what is said of the voices
    }
    listing: ClassVar[str] = "voxcycle train --settings"

    a: Path = Field(description="folder of domain a; with any_to_one, one subfolder per speaker")
    b: Path = Field(description="folder of domain b")
    name_a: str = Field("", description="name of voice a; empty takes the folder's name")
    name_b: str = Field("", description="name of voice b; empty takes the folder's name")
    prepares: bool = Field(
        True, description="cut and screen the recordings first, as voxcycle prepare does"
    )
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
    base: Path | None = Field(
        None,
        description="file of recipes/train_pretrained.py to begin with; null: the packaged one",
    )
    base_sha256: str = Field("", repr=False, description="of that file: noted, not set")
    from_scratch: bool = Field(False, description="begin with random networks, not with the base")
    steps: int | None = Field(
        None, ge=1, description="iterations, those of start included; exclusive with minutes"
    )
    minutes: float | None = Field(
        None, gt=0, description="wall time; becomes a number of steps after a speed probe"
    )

    base_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the base in the weights of the voices: brings back words that "
        "training has cost, and takes some of the likeness",
    )
    sharpness: float = Field(
        SHARPNESS,
        ge=0,
        le=1,
        description="how much the formants of the voices are sharpened",
    )
    strength: float = Field(
        0.0,
        ge=0,
        le=1,
        description="how far conversion by the voices goes, 0 to 1: more is nearer, with fewer of "
        "the words",
    )
    conditions_source: bool = Field(
        True, description="any_to_one: tell G_ba and D_a which speaker of the pool is meant"
    )
    networks: Literal["voxcycle", "maskcyclegan-vc"] = Field(
        "voxcycle",
        description="ours, or those published for MaskCycleGAN-VC: 60 times the arithmetic",
    )

    samples: int = Field(
        5,
        ge=0,
        description="validations in a run, 100 steps apart at least: losses, audio, pictures; "
        "0 for none, and no judging",
    )

    @model_validator(mode="after")
    def _one_length(self) -> "VoiceTrainingConfig":
        if self.steps is not None and self.minutes is not None:
            raise ValueError("give steps or minutes, not both")
        if self.base_share and self.from_scratch:
            raise ValueError("base_share is of the base: leave it or from_scratch away")
        blind = ["uses_f0", "sees_excitation"] + ["conditions_source"] * self.any_to_one
        needed = [f"{name}=false" for name in blind if getattr(self, name)]
        needed += [] if self.from_scratch else ["from_scratch=true"]
        needed += ["sharpness=0"] if self.sharpness else []
        if self.networks == "maskcyclegan-vc" and needed:
            raise ValueError(
                "the published networks are told neither F0 nor speakers, and have no base: set "
                + " ".join(needed)
            )
        if self.has_skip and self.sharpness:
            raise ValueError("sharpness is of generators without a skip: set sharpness=0")
        return self

    def voice_names(self) -> list[str]:
        """Return the names of the voices made: b, then a unless a is a pool."""
        name_b = self.name_b or self.b.absolute().name
        return [name_b] if self.any_to_one else [name_b, self.name_a or self.a.absolute().name]
