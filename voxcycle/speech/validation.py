"""Validation during a training: losses on unseen files, audio and mel pictures for TensorBoard."""

import time
from collections.abc import Mapping

import numpy as np
import torch
from lightning.fabric.utilities import move_data_to_device
from torch.utils.tensorboard import SummaryWriter

from voxcycle.audio.f0 import transform_f0
from voxcycle.conversion.stages import convert_mels, render_mels
from voxcycle.speech.crops import UnpairedCrops
from voxcycle.speech.networks import store_generator
from voxcycle.speech.speakers import Speaker
from voxcycle.training.state import TrainingState
from voxcycle.vocoders import Vocoder

N_VALID_BATCHES = 8
SAMPLE_S = 4.0
NAMES = {"g_ab": "a to b", "g_ba": "b to a"}  # of the conversions, in TensorBoard


class VoiceValidation:
    """Every n steps: generator losses on validation crops (`valid/term`), audio and pictures.

    Args:
        crops: batches drawn from validation files; their first eight are used.
        pairs: source and target by generator; the source's first recording is converted.
        vocoder: renders the audio.
        every: steps between validations.
    """

    def __init__(
        self,
        crops: UnpairedCrops,
        pairs: Mapping[str, tuple[Speaker, Speaker]],
        vocoder: Vocoder,
        every: int,
    ) -> None:
        self.crops = crops
        self.pairs = pairs
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
        for generator in self.pairs:
            self._draw(module, generator, writer)
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

    def _draw(self, module: TrainingState, generator: str, writer: SummaryWriter) -> None:
        from matplotlib.figure import Figure

        assert module.ema is not None
        spec = self.crops.spec
        n_frames = round(SAMPLE_S * spec.frame_rate)
        name, step = NAMES[generator], module.steps_done
        recording = self.pairs[generator][0].recordings[0]
        source, target = (speaker.stats for speaker in self.pairs[generator])
        f0_hz = transform_f0(np.asarray(recording.f0_hz[:n_frames]), source, target)
        mel = convert_mels(
            store_generator(module.ema.module[generator]),  # type: ignore[index]
            recording.mels[0, :n_frames].astype(np.float32),
            f0_hz,
            recording.speech[:n_frames],
            spec=spec,
            source=source,
            target=target,
        )
        waveform = render_mels(self.vocoder, mel, f0_hz)
        writer.add_audio(name, waveform.clip(-1, 1), step, spec.sample_rate)
        figure = Figure(figsize=(8, 5), layout="constrained")
        panels = (("source", recording.mels[0, :n_frames]), (name, mel))
        for axes, (title, picture) in zip(figure.subplots(2), panels, strict=True):
            axes.imshow(
                np.asarray(picture, np.float32).T, origin="lower", aspect="auto", vmin=-11.5, vmax=1
            )
            axes.set(title=title, xlabel="frame", ylabel="mel band")
        writer.add_figure(name, figure, step)
