"""`train_phonetic_decoder`: from folders of many speakers to a network that reads in any voice."""

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch.utils.data import Dataset, default_collate

from voxcycle.audio.excitation import excitation_mel
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import DomainStats, average_stats
from voxcycle.methods.phonetic_decoding import PhoneticDecoding, ReadingBatch
from voxcycle.models.phonetic_decoder import PhoneticDecoder
from voxcycle.speech.config import PhoneticDecoderConfig
from voxcycle.speech.content import Reader, find_content, load_recogniser, save_decoder
from voxcycle.speech.embedding import add_embeddings, load_encoder
from voxcycle.speech.speakers import Speaker, draw_embedding, shrink_stats
from voxcycle.speech.train_pretrained import find_favourites, load_speakers
from voxcycle.training.config import save_config
from voxcycle.training.loop import fit, keeps_threads, prepare_run
from voxcycle.training.state import TrainingState, restore
from voxcycle.voices.pretrained import speaker_condition

DECODER_FILE = "phonetic_decoder.safetensors"  # in the folder of the run
Content = Sequence[NDArray[np.float16]]  # of each recording, see `find_content`


class ReadingCrops(Dataset[ReadingBatch]):
    """Batches of crops of random speakers; batch i is a function of the seed and i alone.

    Args:
        config: sizes, seed and favourites.
        speakers: all of them, with embeddings.
        contents: of each speaker's recordings, the recording itself first, then perturbed.
        spec: the mel analysis.
        reference: statistics that conditions are relative to.
    """

    def __init__(
        self,
        config: PhoneticDecoderConfig,
        speakers: Sequence[Speaker],
        contents: Mapping[str, Content],
        spec: MelSpec,
        reference: DomainStats,
    ) -> None:
        self.config, self.spec, self.reference = config, spec, reference
        self.speakers, self.contents = speakers, contents
        self.favourites = find_favourites(config.favourites, speakers)

    def __getitem__(self, index: int) -> ReadingBatch:
        rng = np.random.default_rng([self.config.seed, index])
        return default_collate([self._draw(rng) for _ in range(self.config.batch_size)])

    def _draw(self, rng: np.random.Generator) -> ReadingBatch:
        is_favourite = self.favourites and rng.random() < self.config.favourite_share
        pool = self.favourites if is_favourite else self.speakers
        speaker = pool[int(rng.integers(len(pool)))]
        number = int(rng.integers(len(speaker.recordings)))
        recording, contents = speaker.recordings[number], self.contents[speaker.name][number]
        content = contents[int(rng.integers(len(contents)))]
        n_frames = self.config.n_frames
        start = int(rng.integers(max(1, len(content) - n_frames + 1)))
        part = slice(start, start + n_frames)
        stats = speaker.stats[0]
        values = (
            content[part].astype(np.float32),
            excitation_mel(recording.f0_hz[part], self.spec),
            stats.normalize(recording.mels[0][part].astype(np.float32)),
        )
        missing = n_frames - len(values[0])  # what is too short is repeated
        heard, excitation, mel = (
            torch.from_numpy(np.pad(x, ((0, missing), (0, 0)), mode="wrap").T) for x in values
        )
        condition = speaker_condition(stats, self.reference, draw_embedding(speaker, rng))
        return ReadingBatch(heard, excitation, torch.from_numpy(condition), mel)


@keeps_threads()
def train_phonetic_decoder(config: PhoneticDecoderConfig, resume: bool = False) -> Path:
    """Train a phonetic decoder; the run's folder receives `phonetic_decoder.safetensors`.

    Raises:
        CorpusError: fewer than two folders have enough usable speech.
        ValueError: there is nothing to resume, a setting differs, or a run would be overwritten.
    """
    spec = MelSpec()
    config, checkpoint, console = prepare_run(config, resume)
    recogniser, encoder = load_recogniser(), load_encoder(config.encoder)
    speakers = load_speakers(config.folders, spec, console)
    reference = average_stats([speaker.stats[0] for speaker in speakers])
    speakers = [
        add_embeddings(shrink_stats(speaker, reference, spec), encoder, spec)
        for speaker in speakers
    ]
    rng = np.random.default_rng(config.seed)
    contents = {}
    for speaker in track(speakers, "Listening", console=console, transient=True):
        variants = [
            [0, *rng.choice(np.arange(1, len(r.mels)), config.n_perturbed, replace=False).tolist()]
            for r in speaker.recordings
        ]
        contents[speaker.name] = find_content(recogniser, speaker.recordings, spec, variants)
    crops = ReadingCrops(config, speakers, contents, spec, reference)
    torch.manual_seed(config.seed)
    example = crops[0]
    decoder = PhoneticDecoder(
        n_features=example.content.shape[1] - 1,
        n_condition=example.condition.shape[1],
        n_mels=spec.n_mels,
        width=config.width,
        n_blocks=config.n_blocks,
    )
    state = TrainingState(PhoneticDecoding(decoder, config.lr), config.ema_decay)
    if checkpoint:
        restore(state, checkpoint, resume)
    save_config(config)
    rerun = functools.partial(train_phonetic_decoder, config, resume=True)
    fit(state, crops, config, console=console, rerun=rerun)
    assert state.ema is not None
    trained = state.ema.module.decoder
    assert isinstance(trained, PhoneticDecoder)
    about = {
        "speakers": [speaker.name for speaker in speakers],
        "config": json.loads(
            config.model_dump_json(exclude={"folders", "favourites", "encoder", "out"})
        ),
        "steps": state.steps_done,
    }
    reader = Reader(trained, encoder, reference, spec)
    save_decoder(reader, path := config.out / DECODER_FILE, about)
    return path
