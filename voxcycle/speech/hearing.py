"""What the generators hear of a recording: as it is, in disguise, and through bad microphones.

A phonetic encoder hears many seconds at once, so that this is done once for every file.
"""

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import LOW_PASS_HZ, band_centres_hz, corrupt_mel, draw_corruption
from voxcycle.voices.content import Centre, PhoneticEncoder, centre_content

N_VARIANTS = 4  # see `hear_variants`
STRETCH_S = (2.0, 10.0)  # one corruption each
LOW_PASS_SHARE = 0.2  # of the corrupted stretches


def find_variant(is_disguised: bool, is_corrupted: bool) -> int:
    """Return the number of a variant of `hear_variants`."""
    return 2 * is_disguised + is_corrupted


def draw_disguise(seed: bytes, n_disguises: int) -> tuple[np.random.Generator, list[int]]:
    """Return the generator of a file's draws after the first, and the first: its disguise."""
    rng = np.random.default_rng(list(seed))
    return rng, [int(rng.integers(n_disguises))] if n_disguises else []


def hear_variants(
    encoder: PhoneticEncoder,
    mels: NDArray[np.floating],
    speech: NDArray[np.bool_],
    spec: MelSpec,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float16], Centre]:
    """Return centred content (4, F, D + 1) of a recording, and the centre of the recording itself.

    The variants: the recording, the same corrupted, the recording in disguise, the same corrupted.
    Each is centred by what is heard of it alone, as in a conversion; a corrupted one stretch by
    stretch, as every stretch has its own corruption.

    Args:
        encoder: the package's.
        mels: (1 or 2, F, n_mels), log-mels of the recording, then of its disguise, if any.
        speech: (F,), frames of speech.
        spec: the mel analysis.
        rng: draws the corruptions.
    """
    heard = np.zeros((N_VARIANTS, len(speech), len(encoder.mean) + 1), np.float16)
    centres = []
    for is_disguised in (False, True):
        mel = np.asarray(mels[-1 if is_disguised else 0], np.float32)
        content = encoder.listen(mel, spec)
        centres.append(encoder.find_centre(content, speech))
        heard[find_variant(is_disguised, False)] = centre_content(content, centres[-1])
        for part in _draw_stretches(len(mel), spec, rng):
            content = encoder.listen(_corrupt(mel[part], spec, rng), spec)
            centre = encoder.find_centre(content, speech[part])
            heard[find_variant(is_disguised, True), part] = centre_content(content, centre)
    return heard, centres[0]


def _draw_stretches(n_frames: int, spec: MelSpec, rng: np.random.Generator) -> list[slice]:
    """Cut a recording into stretches of 2 to 10 s; the last one takes what is left."""
    shortest = round(STRETCH_S[0] * spec.frame_rate)
    edges = [0]
    while n_frames - edges[-1] > 2 * shortest:
        length = round(np.exp(rng.uniform(*np.log(STRETCH_S))) * spec.frame_rate)
        edges.append(min(edges[-1] + length, n_frames - shortest))
    return [slice(*pair) for pair in zip(edges, [*edges[1:], n_frames], strict=True)]


def _corrupt(
    mel: NDArray[np.float32], spec: MelSpec, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Corrupt a stretch (F, n_mels); the other speaker is its own reverse in another body."""
    other = np.roll(mel[::-1], int(rng.integers(-8, 9)), axis=1)
    corrupted = corrupt_mel(mel, draw_corruption(spec, rng), spec, other)
    if rng.random() < LOW_PASS_SHARE:
        cutoff_hz = rng.uniform(*LOW_PASS_HZ)
        corrupted[:, band_centres_hz(spec) > cutoff_hz] = np.log(spec.log_floor)
    return corrupted
