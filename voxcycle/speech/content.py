"""The content teacher: a frozen phonetic network and its loss.

A recogniser's features still depend on the speaker. The speaker's mean and the main directions in
which those means differ are removed; the rest is compared as soft shares of phonetic units, which a
small network predicts for any voice (`units.py`).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor

from voxcycle.audio.mel import MelSpec
from voxcycle.losses.content import content_loss
from voxcycle.methods.batches import Domain
from voxcycle.models.whisper_encoder import WhisperEncoder
from voxcycle.speech.config import MelCycleGANConfig
from voxcycle.speech.speakers import Speaker
from voxcycle.speech.units import (
    Units,
    fit_predictor,
    fit_units,
    hear,
    load_encoder,
    recogniser_mel,
    remove_speaker,
    shrink_mean,
)

UNITS_FILE = "units.safetensors"  # in the folder of a run with a content loss
PREDICTOR_STEPS = 1500
ALL_SHOWN = 0.999  # of the frames that a position is interpolated from


class ContentTeacher:
    """Compares what is said: a CycleGAN's content term.

    It is no `nn.Module`: nothing in it is trained or kept in checkpoints.
    """

    def __init__(self, encoder: WhisperEncoder, units: Units, spec: MelSpec) -> None:
        self.encoder, self.units, self.spec = encoder, units, spec

    def __call__(self, source: Domain, converted: Tensor, target: Domain) -> Tensor:
        """Return the loss of converted mels (B, n_mels, F), normalised by the target's statistics.

        Where the generator filled frames in, no words can be asked of it.

        Raises:
            ValueError: the batch lacks the statistics that undo the normalisation.
        """
        if source.profile is None or target.profile is None:
            raise ValueError("the content loss needs the speakers' profiles in the batch")
        with torch.no_grad():
            teacher = self._logits(source.real, source.profile)
        student, weight = self._logits(converted, target.profile), None
        if source.shown is not None:
            shown = F.interpolate(source.shown, student.shape[1], mode="linear")[:, 0]
            weight = (shown > ALL_SHOWN).to(student)
        return content_loss(teacher, student, weight)

    def _logits(self, mel: Tensor, profile: Tensor) -> Tensor:
        n_mels = self.spec.n_mels
        mean, std, content = profile.split([n_mels, n_mels, self.encoder.width], dim=1)
        heard = recogniser_mel(mel * std[..., None] + mean[..., None], self.spec)
        features = self.encoder.to(mel.device)(heard)
        features = remove_speaker(features, content[:, None], self.units.directions.to(mel.device))
        assert self.units.predictor is not None
        return self.units.predictor.to(mel.device)(features)

    def speaker_mean(self, name: str, mels: Sequence[NDArray]) -> NDArray[np.float32]:
        """Return the mean feature (D,) of a speaker, known by name or heard in log-mels."""
        if name not in self.units.speaker_means:
            heard = hear(self.encoder, mels, self.spec, self.units.n_frames)
            self.units.speaker_means[name] = shrink_mean(heard, self.units.mean)
        return self.units.speaker_means[name].numpy()

    def describe(self, speaker: Speaker) -> Speaker:
        """Return a speaker with the mean of its content features."""
        mels = [recording.mels[0] for recording in speaker.recordings]
        return replace(speaker, content_mean=self.speaker_mean(speaker.name, mels))


def load_teacher(
    config: MelCycleGANConfig, speakers: Sequence[Speaker], spec: MelSpec, console: Console
) -> ContentTeacher:
    """Return the content teacher with the units of the run, of `config.units`, or new ones.

    The run keeps them in `units.safetensors`, for `--resume` and for later trainings.
    """
    encoder = load_encoder()
    kept = config.out / UNITS_FILE
    path = kept if kept.exists() else config.units
    if path is not None:
        units = Units.load(path)
    else:
        console.print(f"fitting phonetic units to the speech of {len(speakers)} speakers")
        mels = {s.name: [recording.mels[0] for recording in s.recordings] for s in speakers}
        units = fit_units(encoder, mels, spec, n_frames=config.n_frames, seed=config.seed)
    teacher = ContentTeacher(encoder, units, spec)
    if units.predictor is None:
        console.print("training the predictor of phonetic units, for some minutes")
        for speaker in speakers:  # whose means it needs
            teacher.describe(speaker)
        perturbed = {s.name: [recording.mels for recording in s.recordings] for s in speakers}
        teacher.units = fit_predictor(
            encoder, units, perturbed, spec, seed=config.seed, n_steps=PREDICTOR_STEPS
        )
    if path != kept or teacher.units is not units:
        teacher.units.save(kept)
    return teacher
