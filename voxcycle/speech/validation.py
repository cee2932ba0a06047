"""Validation during a training: losses on unseen files, audio and mel pictures for TensorBoard."""

import time
from dataclasses import dataclass

import numpy as np
import torch
from lightning.fabric.utilities import move_data_to_device
from torch.utils.tensorboard import SummaryWriter

from voxcycle.audio.f0 import transform_f0
from voxcycle.audio.stats import DomainStats
from voxcycle.conversion.stages import convert_mels, render_mels
from voxcycle.speech.crops import UnpairedCrops
from voxcycle.speech.features import Features
from voxcycle.training.state import TrainingState
from voxcycle.vocoders import Vocoder

N_VALID_BATCHES = 8
SAMPLE_S = 4.0


@dataclass(frozen=True)
class Direction:
    """One conversion to listen to: a validation recording, which generator, both statistics."""

    name: str
    generator: str
    recording: Features
    source: DomainStats
    target: DomainStats


class VoiceValidation:
    """Every n steps: generator losses on validation crops (`valid/term`), audio and pictures.

    Args:
        crops: batches drawn from validation files; their first eight are used.
        directions: what to convert and hear.
        vocoder: renders the audio.
        every: steps between validations.
    """

    def __init__(
        self, crops: UnpairedCrops, directions: list[Direction], vocoder: Vocoder, every: int
    ) -> None:
        self.crops = crops
        self.directions = directions
        self.vocoder = vocoder
        self.every = every
        self.seconds = 0.0  # spent, in this call

    def __call__(self, module: TrainingState, writer: SummaryWriter) -> None:
        """Validate if it is due."""
        step = module.steps_done
        if step % self.every:
            return
        started = time.monotonic()
        for name, value in self._losses(module).items():
            writer.add_scalar(name, value, step)
        for direction in self.directions:
            self._draw(module, direction, writer, step)
        writer.flush()
        self.seconds += time.monotonic() - started

    def _losses(self, module: TrainingState) -> dict[str, float]:
        sums: dict[str, float] = {}
        device = next(module.method.parameters()).device
        with torch.no_grad():
            for index in range(N_VALID_BATCHES):
                batch = move_data_to_device(self.crops[index], device)
                terms = module.phases[0].loss(batch, {})
                for name, term in terms.items():
                    key = f"valid/{name}"
                    sums[key] = sums.get(key, 0.0) + float(term) / N_VALID_BATCHES
        return sums

    def _draw(
        self, module: TrainingState, direction: Direction, writer: SummaryWriter, step: int
    ) -> None:
        from matplotlib.figure import Figure

        assert module.ema is not None
        spec = self.crops.spec
        n_frames = round(SAMPLE_S * spec.frame_rate)
        recording, source, target = direction.recording, direction.source, direction.target
        f0_hz = transform_f0(np.asarray(recording.f0_hz[:n_frames]), source, target)
        mel = convert_mels(
            module.ema.module[direction.generator],  # type: ignore[index]
            recording.mels[0, :n_frames].astype(np.float32),
            f0_hz,
            spec=spec,
            source=source,
            target=target,
        )
        waveform = render_mels(self.vocoder, mel, f0_hz)
        writer.add_audio(direction.name, waveform.clip(-1, 1), step, spec.sample_rate)
        figure = Figure(figsize=(8, 5), layout="constrained")
        panels = (("source", direction.recording.mels[0, :n_frames]), (direction.name, mel))
        for axes, (title, picture) in zip(figure.subplots(2), panels, strict=True):
            axes.imshow(
                np.asarray(picture, np.float32).T, origin="lower", aspect="auto", vmin=-11.5, vmax=1
            )
            axes.set(title=title, xlabel="frame", ylabel="mel band")
        writer.add_figure(direction.name, figure, step)
