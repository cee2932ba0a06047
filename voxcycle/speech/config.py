"""The configurations of the trainings: every weight and switch, documented."""

from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from voxcycle.training.config import TrainingConfig
from voxcycle.voices.generator import FORMANT_POSTFILTER
from voxcycle.voices.library import names_file

POSTPROCESSING = ("pretrained_share", "formant_postfilter")  # of trained weights

Count = Annotated[int, Field(ge=1)]
CountOrZero = Annotated[int, Field(ge=0)]  # 0: without it
Weight = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
LearningRate = Annotated[float, Field(gt=0)]
Pack = Annotated[
    Path | None, Field(description="file of recipes/pack_training.py, in place of folders")
]
TimeLimit = Annotated[
    float | None,
    Field(gt=0, description="minutes after which this call saves and ends; null: no limit"),
]


class MelCycleGANConfig(TrainingConfig):
    """Settings of voice trainings and of pretraining: crops, networks, weights, learning rates."""

    batch_size: Count = Field(4, description="crops per domain and iteration")
    n_frames: int = Field(64, ge=32, description="frames per crop, a multiple of 8")
    max_masked_frames: CountOrZero = Field(20, description="longest filling-in mask; 0 for none")
    perturbed_identity: Share = Field(
        0.75, description="share of the inputs of the identity loss to disguise"
    )
    separates_pitch: bool = Field(
        True, description="perturb by WORLD, too: large pitch shifts, small formant shifts"
    )
    perturbed_source: Share = Field(0.0, description="share of the inputs of G_ab to disguise")
    corrupted: Share = Field(
        0.0,
        description="share of the crops that generators receive with noise, reverberation, "
        "another speaker or without upper bands; targets stay clean",
    )
    uses_f0: bool = Field(True, description="condition generators on the excitation of the output")
    sees_excitation: bool = Field(True, description="condition the discriminators on it, too")
    scores_identity: bool = Field(
        True, description="let discriminators score identity outputs, too"
    )

    width: int = Field(256, ge=8, description="channels of the generators")
    n_blocks: Count = Field(6, description="blocks of the generators")
    discriminator_widths: tuple[int, ...] = Field(
        (32, 64, 128, 128), description="channels of the discriminators' layers"
    )
    spectrum_width: CountOrZero = Field(
        256, description="channels of the discriminators over whole spectra; 0 builds none"
    )

    adversarial_a: Weight = Field(2.5, description="weight: D_a on outputs of G_ba")
    adversarial_b: Weight = Field(2.5, description="weight: D_b on outputs of G_ab")
    cycle_a: Weight = Field(2.0, description="weight: a to b to a")
    cycle_b: Weight = Field(2.0, description="weight: b to a to b")
    identity_a: Weight = Field(10.0, description="weight: perturbed a to a")
    identity_b: Weight = Field(10.0, description="weight: perturbed b to b")
    content: Weight = Field(
        0.0,
        description="weight: what the phonetic encoder hears of conversions against what it hears "
        "of their sources; 0: off",
    )
    speaker: Weight = Field(
        0.0,
        description="weight: conversions to b against b's embedding; needs a pretrained file with "
        "a speaker encoder; 0: off",
    )
    generator_lr: LearningRate = Field(3e-4, description="learning rate of the generators")
    discriminator_lr: LearningRate = Field(4e-4, description="learning rate of the discriminators")
    clip: float | None = Field(5.0, gt=0, description="largest gradient norm of G; null: no limit")

    @model_validator(mode="after")
    def _frames(self) -> "MelCycleGANConfig":
        if self.n_frames % 8:
            raise ValueError(f"n_frames={self.n_frames} must be a multiple of 8")
        if self.max_masked_frames >= self.n_frames:
            raise ValueError(f"max_masked_frames={self.max_masked_frames} must be below n_frames")
        return self


class VoiceTrainingConfig(MelCycleGANConfig):
    """Settings of `train_voice`; unknown keys are errors."""

    free_on_resume: ClassVar[frozenset[str]] = TrainingConfig.free_on_resume | {
        *("minutes", "samples"),
        *POSTPROCESSING,
        *("licence", "consent", "sex_a", "sex_b"),  # facts about the voices
    }
    movable: ClassVar[frozenset[str]] = frozenset({"a", "b", "pretrained"})
    listing: ClassVar[str] = "voxcycle train --settings"

    a: Path = Field(description="folder of domain a; with any_to_one, one subfolder per speaker")
    b: Path = Field(description="folder of domain b")
    name_a: str = Field("", description="name of voice a; empty takes the folder's name")
    name_b: str = Field("", description="name of voice b; empty takes the folder's name")
    prepares: bool = Field(True, description="first cut and screen, as voxcycle prepare does")
    any_to_one: bool = Field(False, description="a is a pool of speakers: train b for any source")
    out: Path = Field(Path("runs/voice"), description="folder: config, split, logs, voices")
    language: str = Field("", description="language of both voices, such as en or nl")
    sex_a: str = Field("", description="sex of speaker a, for the voice list")
    sex_b: str = Field("", description="sex of speaker b, for the voice list")
    licence: str = Field("", description="licence of the voices")
    consent: str = Field("", description="statement that the speakers agreed, stored in the voices")

    start: Path | None = Field(
        None, description="checkpoint of another run, from whose networks and step to start"
    )
    pretrained: Path | None = Field(
        None, description="file of recipes/train_pretrained.py to start from; null: the packaged"
    )
    pretrained_sha256: str = Field("", repr=False, description="hash of that file; set by the run")
    from_scratch: bool = Field(False, description="start from random networks, not pretrained ones")
    steps: Count | None = Field(
        None, description="iterations, those of `start` included; excludes minutes"
    )
    minutes: float | None = Field(
        None, gt=0, description="wall time; converted to steps after a speed probe"
    )

    pretrained_share: Share = Field(
        0.0,
        description="share of the pretrained weights in the voices: recovers words that training "
        "has lost, at some cost in similarity",
    )
    formant_postfilter: Share = Field(
        FORMANT_POSTFILTER, description="strength of the formant postfilter; 0: off"
    )
    samples: CountOrZero = Field(
        5,
        description="validations in a run, at least 100 steps apart: losses, audio, pictures; "
        "0: none, and no choice of the best weights",
    )

    @model_validator(mode="after")
    def _exclusive(self) -> "VoiceTrainingConfig":
        if self.steps is not None and self.minutes is not None:
            raise ValueError("give steps or minutes, not both")
        if self.pretrained_share and self.from_scratch:
            raise ValueError("pretrained_share cannot be combined with from_scratch")
        return self

    def settle(self) -> Self:
        """Return it with the names of the voices: folders may have other names later."""
        names = dict(zip(("name_b", "name_a"), self.voice_names(), strict=False))
        return self.model_copy(update=names)

    def voice_names(self) -> list[str]:
        """Return the names of the voices of the run: b, then a unless a is a pool."""
        name_b = self.name_b or self.b.absolute().name
        return [name_b] if self.any_to_one else [name_b, self.name_a or self.a.absolute().name]


class SpeakerEncoderConfig(TrainingConfig):
    """Settings of `train_speaker_encoder`; unknown keys are errors."""

    folders: tuple[Path, ...] = Field(description="recordings, one folder per speaker")
    steps: Count = Field(4000, description="iterations")
    batch_size: Count = Field(32, description="speakers per iteration, two crops of each")
    min_s: float = Field(1.0, gt=0, description="shortest crops, in seconds")
    max_s: float = Field(2.5, gt=0, description="longest crops")
    corrupted: Share = Field(
        0.6, description="share of the crops with noise, reverberation or another speaker"
    )
    width: int = Field(128, ge=8, description="channels of the encoder")
    n_blocks: Count = Field(4, description="blocks of the encoder")
    n_embedding: Count = Field(64, description="size of an embedding")
    lr: LearningRate = Field(1e-3, description="learning rate")


class PretrainedTrainingConfig(MelCycleGANConfig):
    """Settings of `train_pretrained`; unknown keys are errors."""

    free_on_resume: ClassVar[frozenset[str]] = TrainingConfig.free_on_resume | {"time_limit_min"}

    folders: tuple[Path, ...] = Field((), description="recordings, one folder per speaker")
    pack: Pack = None
    time_limit_min: TimeLimit = None
    targets: tuple[Path, ...] = Field(
        (), description="those of the folders whose speakers form domain b; empty: all"
    )
    favourites: tuple[Path, ...] = Field(
        (), description="those of the targets that become voices, and are drawn more often"
    )
    favourite_share: Share = Field(
        0.0, description="share of b's crops that are drawn from the favourites alone"
    )
    pretrained: Path | None = Field(None, description="file to start from; null: random networks")
    encoder: Path | None = Field(
        None,
        description="speaker encoder of recipes/train_speaker_encoder.py, whose embeddings "
        "condition the networks; null: that of `pretrained`, if it has one",
    )
    steps: Count = Field(20_000, description="iterations")
    start: Path | None = Field(
        None, description="checkpoint of another run, from whose networks and step to start"
    )
    snapshot_every: CountOrZero = Field(0, description="steps between snapshots; 0: none")

    @model_validator(mode="after")
    def _one_source(self) -> "PretrainedTrainingConfig":
        if self.pack and self.folders:
            raise ValueError("give folders or a pack, not both")
        return self


class VocoderTrainingConfig(TrainingConfig):
    """Settings of `train_vocoder`; unknown keys are errors."""

    free_on_resume: ClassVar[frozenset[str]] = TrainingConfig.free_on_resume | {
        *("snapshot_every", "folders", "voices", "sources", "n_conversions", "converted_share"),
        "time_limit_min",
    }

    folders: tuple[Path, ...] = Field((), description="folders of recordings, any speakers")
    pack: Pack = None
    time_limit_min: TimeLimit = None
    voices: tuple[str, ...] = Field(
        (), description="voices (names or files): train on their conversions of the recordings, too"
    )
    sources: tuple[Path, ...] = Field(
        (), description="folders whose recordings the voices convert; default: those of `folders`"
    )
    n_conversions: Count = Field(60, description="recordings that each voice converts")
    converted_share: Share = Field(0.5, description="share of the crops from conversions")
    start: Path | None = Field(
        None,
        description="start from the networks and step of another run (its last.ckpt), or from the "
        "network of a vocoder file with new discriminators",
    )
    steps: Count = Field(20_000, description="iterations, those of `start` included")
    batch_size: Count = Field(16, description="crops per iteration")
    n_frames: int = Field(64, ge=16, description="frames per crop")
    error_share: Share = Field(0.1, description="share of crops with wrong F0")

    width: int = Field(320, ge=8, description="channels of the network")
    n_blocks: Count = Field(8, description="blocks of the network")
    has_prior: bool = Field(True, description="start from the mel's pseudo-inverse")
    has_phase: bool = Field(True, description="predict phase offsets")
    look_ahead: CountOrZero = Field(3, le=6, description="frames ahead that the network sees")
    n_fft: Count = Field(512, description="samples of the filters' windows, a part of the mels'")
    filters_per_frame: Count = Field(2, description="filters that share a frame's time out")
    n_sources: Count = Field(4, description="3: pulses, noise, pulsed noise; 4: bursts, too")
    discriminator_width: CountOrZero = Field(
        32, description="channels of the spectrogram discriminators; 0 builds none"
    )
    period_width: CountOrZero = Field(
        32, description="channels of the period discriminators; 0 builds none"
    )
    discriminators_per_step: Count | None = Field(
        None, description="discriminators that each step draws; null: all of them"
    )

    spectral_convergence: Weight = Field(0.5, description="weight: STFT magnitudes")
    log_magnitude: Weight = Field(0.5, description="weight: log STFT magnitudes")
    mel: Weight = Field(5.0, description="weight: L1 of log-mels")
    adversarial: Weight = Field(1.0, description="weight: adversarial loss")
    feature_matching: Weight = Field(10.0, description="weight: hidden layers of discriminators")
    pitch: Weight = Field(1.0, description="weight: F0 estimated from the mel")
    generator_lr: LearningRate = Field(5e-4, description="learning rate of the network")
    discriminator_lr: LearningRate = Field(2e-4, description="learning rate of the discriminators")
    snapshot_every: CountOrZero = Field(0, description="steps between snapshots; 0: none")

    @model_validator(mode="after")
    def _one_source(self) -> "VocoderTrainingConfig":
        if self.pack and (self.folders or self.voices or self.sources):
            raise ValueError(
                "a pack has recordings and conversions: leave folders, voices and sources out"
            )
        return self

    @field_validator("voices")
    @classmethod
    def _absolute_files(cls, voices: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(Path(v).absolute()) if names_file(v) else v for v in voices)
