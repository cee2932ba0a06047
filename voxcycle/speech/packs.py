"""Training packs: the features of a training in one small file, read by NumPy and safetensors.

A vocoder's pack holds samples, F0 and speech. The mels of recordings are computed from the samples
again; those that voices made are stored. A pack of pretraining holds the mels from which content is
heard again, by PyTorch, as it is heard for the cache. Mels are rounded to 1/16 neper.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from voxcycle.artifacts import TRAINING_PACK, building, read_artifact, read_header, write_artifact
from voxcycle.audio.linear_prediction import EncodedSamples, decode_samples, encode_samples
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.audio.rice import Bytes, decode_integers, encode_integers
from voxcycle.speech.features import Features
from voxcycle.speech.hearing import draw_disguise, hear_variants
from voxcycle.speech.listener import load_encoder_on
from voxcycle.speech.speakers import Speaker, build_speaker
from voxcycle.speech.vocoder_crops import Recording

VOCODER_TRAINING, PRETRAINING = "vocoder", "pretrained"
MEL_STEPS = 16  # per neper: an error of 1/32 at most, 0.27 dB
FULL_SCALE = 32767


class PackedRecording(NamedTuple):
    """A recording as a pack holds it.

    Attributes:
        f0_hz, speech: as in `Features`, (F,).
        samples: None in a pack of pretraining.
        mels: codes of the mels that are stored.
        owner: number of the speaker; 0 in a pack of a vocoder.
        seed: of the draws for what is heard; empty in a pack of a vocoder.
        n_disguises: how many the second mel was drawn from.
    """

    f0_hz: NDArray[np.float32]
    speech: NDArray[np.bool_]
    samples: EncodedSamples | None = None
    mels: tuple[Bytes, ...] = ()
    owner: int = 0
    seed: bytes = b""
    n_disguises: int = 0

    @property
    def n_bytes(self) -> int:
        """The size in a pack, about."""
        n_samples = self.samples.n_bytes if self.samples else 0
        n_frames = len(self.f0_hz)
        return n_samples + sum(map(len, self.mels)) + 4 * n_frames + n_frames // 8 + 100


def pack_recording(
    recording: Recording, is_converted: bool, steps_per_rms: int | None
) -> PackedRecording:
    """Pack a recording of a vocoder's training; its samples as `encode_samples`."""
    samples = encode_samples(recording.samples, steps_per_rms)
    mels = (encode_mel(recording.mel),) if is_converted else ()
    return PackedRecording(recording.f0_hz, recording.speech, samples, mels)


def pack_heard(features: Features, owner: int, seed: bytes, n_disguises: int) -> PackedRecording:
    """Pack what `extract_disguised` gives of a recording of a speaker."""
    mels = tuple(encode_mel(mel) for mel in features.mels)
    return PackedRecording(
        features.f0_hz, features.speech, mels=mels, owner=owner, seed=seed, n_disguises=n_disguises
    )


def encode_mel(mel: NDArray[np.floating[Any]]) -> Bytes:
    """Return the code of log-mels (F, n_mels): differences in time and between bands."""
    rounded = np.rint(np.asarray(mel, np.float64) * MEL_STEPS).astype(np.int64)
    changes = np.diff(np.diff(rounded, axis=0, prepend=0), axis=1, prepend=0)
    return encode_integers(changes.T)


def decode_mel(code: Bytes, n_mels: int) -> NDArray[np.float16]:
    """Return the log-mels (F, n_mels) of a code."""
    changes = decode_integers(code).reshape(n_mels, -1).T
    return (changes.cumsum(1).cumsum(0) / MEL_STEPS).astype(np.float16)


def write_pack(
    path: Path, training: str, recordings: Sequence[PackedRecording], header: dict[str, Any]
) -> None:
    """Write a pack for a training, `VOCODER_TRAINING` or `PRETRAINING`."""
    with_samples = [one.samples for one in recordings if one.samples]
    codes = [code for one in recordings for code in one.mels]
    empty = np.zeros(0, np.uint8)
    arrays: dict[str, NDArray[Any]] = {
        "n_frames": np.array([len(one.f0_hz) for one in recordings], np.int32),
        "n_mels": np.array([len(one.mels) for one in recordings], np.uint8),
        "f0": np.concatenate([one.f0_hz for one in recordings]).astype(np.float32),
        "speech": np.packbits(np.concatenate([one.speech for one in recordings])),
        "owners": np.array([one.owner for one in recordings], np.uint16),
        "seeds": np.frombuffer(b"".join(one.seed for one in recordings), np.uint8),
        "n_disguises": np.array([one.n_disguises for one in recordings], np.uint8),
        "mel_sizes": np.array([len(code) for code in codes], np.int32),
        "mels": np.concatenate([empty, *codes]),
    }
    if with_samples:
        arrays |= {
            "n_blocks": np.array([len(one.predictors) for one in with_samples], np.int32),
            "predictors": np.concatenate([one.predictors for one in with_samples]),
            "dropped_bits": np.concatenate([one.dropped_bits for one in with_samples]),
            "residual_sizes": np.array([len(one.residual) for one in with_samples], np.int32),
            "residuals": np.concatenate([one.residual for one in with_samples]),
        }
    described = {"training": training, "mel_spec": MelSpec().to_dict(), **header}
    write_artifact(path, TRAINING_PACK, described, arrays)


def read_settings_of(path: Path, training: str) -> dict[str, Any]:
    """Return the settings with which a pack was made, but for folders and the run's.

    Raises:
        ArtifactError: it is no pack.
        ValueError: it is one for the other training.
    """
    header = read_header(path, TRAINING_PACK)
    _check_training(path, header, training)
    return dict(header["settings"])


def read_recordings(path: Path, spec: MelSpec) -> tuple[list[Recording], list[Recording]]:
    """Return the recordings of a vocoder's pack, then the conversions; errors as above."""
    _, packed = _read_pack(path, VOCODER_TRAINING)
    log_mel = LogMel(spec)
    with building(path, TRAINING_PACK):
        waveforms = decode_samples([one.samples for one in packed if one.samples])
        recorded: list[Recording] = []
        converted: list[Recording] = []
        for one, samples in zip(packed, waveforms, strict=True):
            if one.mels:
                mel = decode_mel(one.mels[0], spec.n_mels)
            else:
                mel = log_mel(samples / np.float32(FULL_SCALE)).astype(np.float16)
            recording = Recording(samples, mel, one.f0_hz, one.speech)
            (converted if one.mels else recorded).append(recording)
    return recorded, converted


def read_speakers(path: Path, spec: MelSpec, device: torch.device) -> list[Speaker]:
    """Return the speakers of a pack of pretraining; their content is heard on a device."""
    header, packed = _read_pack(path, PRETRAINING)
    encoder = load_encoder_on(device)
    with building(path, TRAINING_PACK):
        recordings: list[list[Features]] = [[] for _ in header["speakers"]]
        for one in packed:
            mels = np.stack([decode_mel(code, spec.n_mels) for code in one.mels])
            rng, _ = draw_disguise(one.seed, one.n_disguises)
            content, centre = hear_variants(encoder, mels, one.speech, spec, rng)
            recordings[one.owner].append(Features(mels[:1], one.f0_hz, one.speech, content, centre))
        named = zip(header["speakers"], recordings, strict=True)
        return [build_speaker(name, features, spec) for name, features in named]


def _check_training(path: Path, header: dict[str, Any], training: str) -> None:
    if header.get("training") != training:
        raise ValueError(
            f"{path}: a pack for the training {header.get('training')}, not {training}; pack the "
            "recordings with recipes/pack_training.py"
        )


def _read_pack(path: Path, training: str) -> tuple[dict[str, Any], list[PackedRecording]]:
    artifact = read_artifact(path, TRAINING_PACK)
    header, arrays = artifact.header, artifact.arrays
    _check_training(path, header, training)
    with building(path, TRAINING_PACK):
        MelSpec(**header["mel_spec"]).require_same(MelSpec(), str(path), "voxcycle")
        n_frames = arrays["n_frames"]
        n = len(n_frames)
        f0_hz = _split(arrays["f0"], n_frames)
        speech = _split(np.unpackbits(arrays["speech"])[: n_frames.sum()].astype(bool), n_frames)
        codes = iter(_split(arrays["mels"], arrays["mel_sizes"]))
        seeds = arrays["seeds"].reshape(n, -1)
        samples: list[EncodedSamples] | list[None] = [None] * n
        if "residuals" in arrays:
            parts = (
                _split(arrays["predictors"], arrays["n_blocks"]),
                _split(arrays["dropped_bits"], arrays["n_blocks"]),
                _split(arrays["residuals"], arrays["residual_sizes"]),
            )
            samples = [EncodedSamples(*part) for part in zip(*parts, strict=True)]
        packed = [
            PackedRecording(
                f0_hz[i],
                speech[i],
                samples[i],
                tuple(next(codes) for _ in range(arrays["n_mels"][i])),
                int(arrays["owners"][i]),
                seeds[i].tobytes(),
                int(arrays["n_disguises"][i]),
            )
            for i in range(n)
        ]
    return header, packed


def _split(array: NDArray[Any], sizes: NDArray[np.integer[Any]]) -> list[NDArray[Any]]:
    """Cut an array into parts of these lengths; ValueError where they do not add up."""
    if sizes.sum() != len(array):
        raise ValueError("parts that do not fit their lengths")
    return np.split(array, sizes.cumsum()[:-1])
