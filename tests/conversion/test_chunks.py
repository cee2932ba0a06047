"""What is computed in pieces equals what one call computes."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.io import ArraySource
from voxcycle.audio.level import normalize_level
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.audio.mixdown import plan_mixdown
from voxcycle.audio.stats import sum_frames
from voxcycle.conversion import analysis
from voxcycle.conversion.analysis import analyze
from voxcycle.conversion.generator import convert_mel, generate_mels, plan_chunks, render_waveform
from voxcycle.conversion.spooled_frames import RowFile
from voxcycle.models.hifigan_generator import HiFiGANGenerator
from voxcycle.models.source_filter_networks import SourceFilterVocoder
from voxcycle.vocoders.hifigan import HiFiGAN
from voxcycle.vocoders.source_filter import SourceFilter
from voxcycle.voices.voice import Voice

SPEC = MelSpec()


def make_vocoder() -> HiFiGAN:
    """Return a vocoder of HiFi-GAN's form with few channels and loud random weights."""
    torch.manual_seed(0)
    generator = HiFiGANGenerator(
        resblock="2",
        upsample_rates=(8, 8, 4),
        upsample_kernel_sizes=(16, 16, 8),
        upsample_initial_channel=32,
        resblock_kernel_sizes=(3, 5),
        resblock_dilation_sizes=((1, 2), (2, 6)),
    )
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return HiFiGAN(generator.eval().requires_grad_(False), SPEC, "tiny")


def test_chunks_cover_every_frame_in_one_length() -> None:
    for n_frames in (1, 9, 511, 512, 513, 10_000):
        chunks = plan_chunks(n_frames)
        lengths = {chunk.stop - chunk.start for chunk in chunks}
        assert len(lengths) == 1 and max(lengths) <= 512
        assert [chunk.start for chunk in chunks[1:]] == [chunk.stop for chunk in chunks[:-1]]
        assert chunks[0].start == 0 and 0 <= chunks[-1].stop - n_frames < len(chunks)


@pytest.mark.parametrize("strength", [0.0, 0.6])
def test_generator_and_vocoder_agree_with_the_whole_to_80_db(voice: Voice, strength: float) -> None:
    rng = np.random.default_rng(0)
    n_frames = 301
    mels = RowFile(80)
    mels.append(rng.normal(-6, 2, (n_frames, 80)).astype(np.float32))
    f0_hz = np.where(rng.random(n_frames) < 0.8, rng.uniform(100, 300, n_frames), 0)
    f0_hz = f0_hz.astype(np.float32)
    results = []
    for max_frames in (n_frames, 37):
        converted = RowFile(80)
        generate_mels(
            voice,
            voice.source_stats,
            mels,
            f0_hz,
            converted,
            lambda share: None,
            strength,
            max_frames,
        )
        waveform = np.concatenate(
            list(render_waveform(make_vocoder(), converted, f0_hz, max_frames))
        )
        results.append((converted.read(0, n_frames), waveform))
    (whole_mels, whole), (chunked_mels, chunked) = results
    assert len(whole) == n_frames * SPEC.hop_length
    assert np.abs(chunked_mels - whole_mels).max() < 1e-4
    assert whole.std() > 0.01
    assert np.abs(chunked - whole).max() < 1e-4 * np.abs(whole).max()  # -80 dB


def test_strength_goes_from_the_first_conversion_to_the_second(voice: Voice) -> None:
    mel, excitation = torch.randn(1, 80, 40), torch.rand(1, 81, 40)
    first, half, second = (convert_mel(voice, mel, excitation, s) for s in (0.0, 0.5, 1.0))
    torch.testing.assert_close(first, voice.generator(mel, excitation))
    torch.testing.assert_close(second, voice.generator(first, excitation))
    torch.testing.assert_close(half, (first + second) / 2)
    assert (second - first).abs().max() > 0.01


def test_the_vocoder_needs_its_context(voice: Voice) -> None:
    """The test above has teeth: with no context, chunks differ by much more than -80 dB."""
    mels = RowFile(80)
    mels.append(np.random.default_rng(0).normal(-6, 2, (120, 80)).astype(np.float32))
    vocoder, f0_hz = make_vocoder(), np.zeros(120, np.float32)
    whole = np.concatenate(list(render_waveform(vocoder, mels, f0_hz)))
    vocoder.context_frames = 0
    chunked = np.concatenate(list(render_waveform(vocoder, mels, f0_hz, 30)))
    assert np.abs(chunked - whole).max() > 1e-2 * np.abs(whole).max()


def test_analysis_in_pieces_is_that_of_training(
    make_speech: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    waveform = make_speech(18.0, SPEC.sample_rate)[: 1540 * SPEC.hop_length]
    waveform -= waveform.mean()
    monkeypatch.setattr(analysis, "MEL_FRAMES", 100)
    monkeypatch.setattr(analysis, "PIECE_S", 5.0)
    source = ArraySource(waveform, SPEC.sample_rate)
    found = analyze(source, plan_mixdown(source), SPEC, RowFile(80), lambda share: None)

    levelled = normalize_level(waveform, SPEC.sample_rate).waveform
    mels = LogMel(SPEC)(torch.from_numpy(levelled)[None])[0].T.numpy()
    f0_hz = extract_f0(levelled, SPEC)
    pieces = found.mels.read(0, len(found.mels))
    assert pieces.shape == mels.shape
    assert np.abs(pieces - mels).max() < 1e-3
    voiced = (found.f0_hz > 0) & (f0_hz > 0)
    assert np.mean((found.f0_hz > 0) == (f0_hz > 0)) > 0.99
    # DIO filters the whole signal at once: a candidate at the edge of voicing may tip over.
    assert np.mean(np.abs(found.f0_hz[voiced] / f0_hz[voiced] - 1) < 0.005) > 0.99
    sums = sum_frames(mels, f0_hz)
    assert found.sums.n_active == sums.n_active
    assert found.sums.mel == pytest.approx(sums.mel, rel=1e-5)


def test_rows_outlive_memory() -> None:
    rows = np.arange(12, dtype=np.float32).reshape(6, 2)
    with RowFile(2) as file:
        file.append(rows[:4])
        file._file.rollover()
        file.append(rows[4:])
        assert len(file) == 6
        assert np.array_equal(file.read(1, 5), rows[1:5])
        # Beyond the ends, the first and last row repeat.
        assert np.array_equal(file.read(-2, 8), rows[[0, 0, 0, 1, 2, 3, 4, 5, 5, 5]])


def test_the_source_filter_vocoder_agrees_with_the_whole_to_80_db() -> None:
    """Phases are carried over the borders and noise has its place in the file."""
    torch.manual_seed(0)
    network = SourceFilterVocoder(SPEC, width=16, n_blocks=3)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    vocoder = SourceFilter(network.requires_grad_(False))
    rng = np.random.default_rng(0)
    n_frames = 201
    mels = RowFile(80)
    mels.append(rng.normal(-6, 2, (n_frames, 80)).astype(np.float32))
    f0_hz = np.where(rng.random(n_frames) < 0.9, rng.uniform(100, 300, n_frames), 0)
    whole, pieces = (
        np.concatenate(list(render_waveform(vocoder, mels, f0_hz.astype(np.float32), n)))
        for n in (n_frames, 37)
    )
    assert whole.shape == (n_frames * SPEC.hop_length,)
    assert np.abs(whole - pieces).max() < 1e-4 * np.abs(whole).max()
