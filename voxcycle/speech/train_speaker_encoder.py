"""`train_speaker_encoder`: from folders of many speakers to the network that tells them apart."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import LOW_PASS_HZ, WARPS, band_centres_hz, corrupt_mel, draw_corruption
from voxcycle.methods.speaker_embedding import SpeakerBatch, SpeakerEmbedding
from voxcycle.models.speaker_encoder import SpeakerEncoder
from voxcycle.models.weights import store_network
from voxcycle.speech.config import SpeakerEncoderConfig
from voxcycle.speech.embedding import save_encoder
from voxcycle.speech.features import Features
from voxcycle.speech.pool import load_speakers
from voxcycle.speech.speakers import Speaker
from voxcycle.speech.train_pretrained import ENCODER_FILE
from voxcycle.training.config import save_config
from voxcycle.training.loop import fit, keeps_threads, prepare_run
from voxcycle.training.state import TrainingState, restore
from voxcycle.voices.speaker_encoder import SpeakerEncoder as StoredEncoder

MAX_TILT, MAX_GAIN = 1.0, 0.5  # nepers, at the edges of the band and everywhere
LOW_PASS_SHARE, HIGH_PASS_SHARE = 0.3, 0.3
HIGH_PASS_HZ = (80.0, 350.0)
EMPTY = (-11.5, -7.0)  # log-mels of bands that a channel does not pass
N_TRIES = 20  # to find a crop of which half is speech


class SpeakerCrops(Dataset[SpeakerBatch]):
    """Batches of crops of random speakers; batch i is a function of the seed and i alone.

    A speaker under another warp counts as another speaker.
    """

    def __init__(
        self, config: SpeakerEncoderConfig, speakers: Sequence[Speaker], spec: MelSpec
    ) -> None:
        self.config, self.speakers, self.spec = config, speakers, spec
        self.centres_hz = band_centres_hz(spec)

    def __getitem__(self, index: int) -> SpeakerBatch:
        rng = np.random.default_rng([self.config.seed, index])
        seconds = rng.uniform(self.config.min_s, self.config.max_s)
        n_frames = round(seconds * self.spec.frame_rate)
        n_all = len(self.speakers) * len(WARPS)
        drawn = rng.choice(n_all, min(self.config.batch_size, n_all), replace=False)
        mels, speech = [], []
        for number in drawn:
            speaker, warp = self.speakers[number // len(WARPS)], int(number % len(WARPS))
            for recording in self._draw_two(speaker, rng):
                mel, active = self._draw_crop(recording, warp, n_frames, rng)
                if rng.random() < self.config.corrupted:
                    other = self.speakers[int(rng.integers(len(self.speakers)))]
                    voice = other.recordings[int(rng.integers(len(other.recordings)))]
                    babble, _ = self._draw_crop(voice, 0, n_frames, rng)
                    mel = corrupt_mel(mel, draw_corruption(self.spec, rng), self.spec, babble)
                mels.append(self._filter(mel, rng))
                speech.append(active)
        return SpeakerBatch(
            torch.from_numpy(np.stack(mels)).transpose(1, 2).unflatten(0, (-1, 2)),
            torch.from_numpy(np.stack(speech)).unflatten(0, (-1, 2)),
        )

    def _draw_two(self, speaker: Speaker, rng: np.random.Generator) -> list[Features]:
        """Draw two recordings, different ones if there are."""
        own = speaker.recordings
        picked = rng.choice(len(own), 2, replace=len(own) < 2)
        return [own[int(index)] for index in picked]

    def _draw_crop(
        self, recording: Features, warp: int, n_frames: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draw log-mels (F, n_mels) and speech (F,); what is too short is repeated."""
        for _ in range(N_TRIES):
            start = int(rng.integers(max(1, len(recording.speech) - n_frames + 1)))
            part = slice(start, start + n_frames)
            if recording.speech[part].mean() >= 0.5:
                break
        mel = np.resize(recording.mels[warp][part].astype(np.float32), (n_frames, self.spec.n_mels))
        return mel, np.resize(recording.speech[part], n_frames).astype(np.float32)

    def _filter(self, mel: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Tilt, amplify and sometimes band-limit log-mels, as a channel would."""
        slope = rng.uniform(-MAX_TILT, MAX_TILT) * np.linspace(-1, 1, mel.shape[1])
        out = mel + (slope + rng.uniform(-MAX_GAIN, MAX_GAIN))
        if rng.random() < LOW_PASS_SHARE:
            out[:, self.centres_hz > rng.uniform(*LOW_PASS_HZ)] = rng.uniform(*EMPTY)
        if rng.random() < HIGH_PASS_SHARE:
            out[:, self.centres_hz < rng.uniform(*HIGH_PASS_HZ)] = rng.uniform(*EMPTY)
        return out.astype(np.float32)


@keeps_threads()
def train_speaker_encoder(config: SpeakerEncoderConfig, resume: bool = False) -> Path:
    """Train a speaker encoder; the run's folder receives `speaker_encoder.safetensors`.

    Raises:
        CorpusError: fewer than two folders have enough usable speech.
        ValueError: there is nothing to resume, a setting differs, or a run would be overwritten.
    """
    spec = MelSpec()
    config, checkpoint, console = prepare_run(config, resume)
    speakers = load_speakers(config.folders, spec, console, hears=False)
    crops = SpeakerCrops(config, speakers, spec)
    torch.manual_seed(config.seed)
    encoder = SpeakerEncoder(spec.n_mels, config.width, config.n_blocks, config.n_embedding)
    method = SpeakerEmbedding(encoder, config.lr)
    state = TrainingState(method, config.ema_decay)
    if checkpoint:
        restore(state, checkpoint, resume)
    save_config(config)
    rerun = functools.partial(train_speaker_encoder, config, resume=True)
    fit(state, crops, config, console=console, rerun=rerun)
    path = config.out / ENCODER_FILE
    assert state.ema is not None
    trained = store_network(state.ema.module.encoder)  # type: ignore[arg-type]
    about = {
        "speakers": [speaker.name for speaker in speakers],
        "config": json.loads(config.model_dump_json(exclude={"folders", "out"})),
        "steps": state.steps_done,
    }
    save_encoder(StoredEncoder(trained.arguments, trained.weights), path, about)
    return path
