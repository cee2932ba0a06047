"""Small images of sounds, and which sounds are rare."""

import numpy as np
import torch

from voxcycle.speech.patch_vae import cut_patches, weigh_crops

N_FRAMES = 64


def test_patches_leave_pauses_out() -> None:
    noise = torch.Generator().manual_seed(0)
    mel = torch.randn(120, 80, generator=noise) * 0.1
    mel[80:] -= 3.0  # a pause
    ((patches, starts),) = cut_patches([mel])
    assert patches.shape[1:] == (1, 20, 20)
    assert starts.tolist()[:3] == [0, 5, 10]
    assert 60 <= int(starts[-1]) < 80  # no later one is loud in the mean
    normal = (mel - mel.mean(0)) / mel.std(0)
    bands = normal[5:25].unflatten(1, (20, 4)).mean(2).T
    assert torch.allclose(patches[1, 0] * 3, bands, atol=1e-5)


def test_what_is_shorter_than_a_patch_has_none() -> None:
    patches, starts = cut_patches([torch.randn(10, 80), torch.randn(80, 80)])[0]
    assert patches.shape == (0, 1, 20, 20)
    assert len(starts) == 0


def speech_like(n_frames: int, rng: np.random.Generator) -> np.ndarray:
    """A slowly moving resonance over noise, (n_frames, 80)."""
    centre = 25 + 10 * np.sin(np.arange(n_frames) / 15 + rng.uniform(0, 6))
    mel = 4 * np.exp(-(((np.arange(80) - centre[:, None]) / 6) ** 2))
    return mel + 0.3 * rng.standard_normal((n_frames, 80))


def test_a_sound_that_is_heard_once_is_drawn_more_often() -> None:
    rng = np.random.default_rng(0)
    mels = [speech_like(300, rng) for _ in range(6)]
    mels[2][140:180, 55:] += 4  # a hiss of half a second in half a minute
    places = weigh_crops(mels, N_FRAMES, seed=0)
    assert [len(weights) for weights in places] == [237] * 6
    assert np.isclose(sum(weights.sum() for weights in places), 1)
    holds = slice(140 - N_FRAMES // 2, 180 - N_FRAMES // 2)  # crops that hold the hiss
    share = places[2][holds].sum()
    assert share > 2 * 40 / (6 * 237)
    again = weigh_crops(mels, N_FRAMES, seed=0)
    assert all(np.array_equal(one, two) for one, two in zip(places, again, strict=True))


def test_a_short_recording_has_one_place() -> None:
    rng = np.random.default_rng(0)
    places = weigh_crops([speech_like(300, rng), speech_like(40, rng)], N_FRAMES, seed=0)
    assert [len(weights) for weights in places] == [237, 1]
    assert places[1][0] > 0
