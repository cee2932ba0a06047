"""What is computed in pieces equals what one call computes."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from voxcycle.audio.activity import find_speech
from voxcycle.audio.excitation import clear_below_f0, excitation_mel
from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.io import ArraySource
from voxcycle.audio.level import ANALYSIS_LEVEL_DB, frame_power, remove_rumble, to_db
from voxcycle.audio.mel import LogMel, MelSpec, band_edges_hz
from voxcycle.audio.mixdown import plan_mixdown
from voxcycle.audio.source_signals import StreamedPhases, onset_phases
from voxcycle.audio.stats import sum_frames
from voxcycle.conversion import analysis
from voxcycle.conversion.analysis import analyze
from voxcycle.conversion.frames import SpooledFrames, Windows, equal_chunk_frames
from voxcycle.conversion.stages import (
    MelConverter,
    Renderer,
    content_source,
    convert_mels,
    mel_source,
)
from voxcycle.models.source_filter_networks import SourceFilterVocoder
from voxcycle.models.weights import store_network
from voxcycle.runtime.weights import StoredNetwork
from voxcycle.vocoders.hifigan import HiFiGAN
from voxcycle.vocoders.source_filter import SourceFilter
from voxcycle.voices import content

SPEC = MelSpec()


def make_vocoder():
    """Return a vocoder of HiFi-GAN's form with few channels and loud random weights."""
    rng = np.random.default_rng(0)
    arguments = {
        "resblock": "2",
        "upsample_rates": (8, 8, 4),
        "upsample_kernel_sizes": (16, 16, 8),
        "upsample_initial_channel": 32,
        "resblock_kernel_sizes": (3, 5),
        "resblock_dilation_sizes": ((1, 2), (2, 6)),
    }
    shapes = {"conv_pre": (32, 80, 7), "conv_post": (1, 4, 7)}
    for stage, (channels, kernel) in enumerate(((32, 16), (16, 16), (8, 8))):
        half = channels // 2
        shapes[f"ups.{stage}"] = (channels, half, kernel)
        for block, size in enumerate((3, 5)):
            for index in range(2):
                shapes[f"resblocks.{2 * stage + block}.convs.{index}"] = (half, half, size)
    weights = {}
    for layer, shape in shapes.items():
        weights[f"{layer}.weight"] = rng.normal(0, 0.1, shape)
        n_biases = shape[1] if layer.startswith("ups") else shape[0]
        weights[f"{layer}.bias"] = rng.normal(0, 0.1, n_biases)
    return HiFiGAN(StoredNetwork(arguments, weights), SPEC, "tiny")


def draw_frames(n_frames):
    """Return log-mels (F, 80) and an F0 contour (F,) with gaps."""
    rng = np.random.default_rng(0)
    mels = rng.normal(-6, 2, (n_frames, 80)).astype(np.float32)
    f0_hz = np.where(rng.random(n_frames) < 0.8, rng.uniform(100, 300, n_frames), 0)
    return mels, f0_hz.astype(np.float32)


def convert_in_chunks(voice, mels, f0_hz, second_pass, n, step):
    stage = MelConverter(
        voice.generator,
        mel_source(voice.source_stats),
        spec=SPEC,
        target=voice.target_stats,
        second_pass=second_pass,
        chunk_frames=n,
    )
    pushed = [
        stage.push(mels[i : i + step], f0_hz[i : i + step]) for i in range(0, len(mels), step)
    ]
    return np.concatenate([*pushed, stage.flush()])


def render_in_chunks(vocoder, mels, f0_hz, n, step=50):
    stage, phases = Renderer(vocoder, n), onset_phases(f0_hz, SPEC)
    columns = (mels, f0_hz, phases)
    pushed = [
        stage.push(*(column[i : i + step] for column in columns)) for i in range(0, len(mels), step)
    ]
    return np.concatenate([*pushed, stage.flush()])


@pytest.mark.parametrize("n_frames", [1, 9, 511, 512, 513, 10_000])
def test_chunks_split_the_frames_evenly(n_frames):
    length = equal_chunk_frames(n_frames)
    n_chunks = -(-n_frames // length)
    assert 1 <= length <= 512 and 0 <= n_chunks * length - n_frames < n_chunks


@pytest.mark.parametrize("step", [1, 3, 7, 40])
@pytest.mark.parametrize(
    ("n_frames", "chunk", "context", "ahead"),
    [(23, 5, 4, 4), (4, 6, 9, 9), (10, 5, 0, 0), (23, 5, 4, 1), (9, 2, 3, 6)],
)
def test_windows_hold_both_ends_however_the_frames_come(n_frames, chunk, context, ahead, step):
    values, windows = np.arange(n_frames), Windows(context, chunk, ahead)
    made = [w for i in range(0, n_frames, step) for w in windows.push(values[i : i + step])]
    made += list(windows.flush())
    starts = list(range(0, n_frames, chunk))
    assert [w.start for w in made] == [start - context for start in starts]
    assert [w.n_kept for w in made] == [min(chunk, n_frames - start) for start in starts]
    for window, start in zip(made, starts, strict=True):
        wanted = np.clip(np.arange(start - context, start + chunk + ahead), 0, n_frames - 1)
        assert np.array_equal(window.columns[0], wanted)


@pytest.mark.parametrize("second_pass", [0.0, 0.6])
def test_generator_and_vocoder_agree_with_the_whole_to_80_db(voice, second_pass):
    n_frames = 301
    mels, f0_hz = draw_frames(n_frames)
    results = []
    for chunk, step in ((n_frames, n_frames), (37, 20)):
        converted = convert_in_chunks(
            voice, mels=mels, f0_hz=f0_hz, second_pass=second_pass, n=chunk, step=step
        )
        results.append((converted, render_in_chunks(make_vocoder(), converted, f0_hz, chunk)))
    (whole_mels, whole), (chunked_mels, chunked) = results
    assert len(whole) == n_frames * SPEC.hop_length
    assert np.abs(chunked_mels - whole_mels).max() < 1e-4
    assert whole.std() > 0.01
    assert np.abs(chunked - whole).max() < 1e-4 * np.abs(whole).max()  # -80 dB


@pytest.mark.parametrize("look_ahead", [0, 1, 3])
@pytest.mark.parametrize("step", [1, 5, 64])
def test_a_streamed_rendering_equals_the_whole(look_ahead, step):
    """Frame by frame or in pieces, from carried phases; samples come as soon as they can."""
    torch.manual_seed(0)
    network = SourceFilterVocoder(
        SPEC,
        width=16,
        n_blocks=2,
        look_ahead=look_ahead,
        n_fft=512,
        filters_per_frame=2,
        n_sources=4,
    )
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    vocoder = SourceFilter(store_network(network), SPEC)
    mels, f0_hz = draw_frames(150)
    whole = render_in_chunks(vocoder, mels, f0_hz, 150)
    stage, phases = Renderer(vocoder, step), StreamedPhases(SPEC)
    pieces = []
    for start in range(0, 150, step):
        part = slice(start, start + step)
        pieces.append(stage.push(mels[part], f0_hz[part], phases.push(f0_hz[part])))
        n_given = min(start + step, 150)
        n_ready = max(0, n_given - max(1 + look_ahead, 3)) // step * step
        assert sum(map(len, pieces)) == n_ready * SPEC.hop_length
    streamed = np.concatenate([*pieces, stage.flush()])
    assert np.abs(streamed - whole).max() < 1e-5 * np.abs(whole).max()


def test_what_is_heard_in_pieces_is_centred_as_a_whole(monkeypatch):
    monkeypatch.setattr(content, "PIECE_FRAMES", 100)
    mels, _ = draw_frames(450)
    speech = np.arange(450) % 90 > 30
    shares: list[float] = []
    with SpooledFrames(80) as frames, SpooledFrames(385) as spooled:
        frames.append(mels)
        prepare = content_source(frames, speech, SPEC, spooled, shares.append)
        heard = spooled.read(0, 450)
    encoder = content.load_phonetic_encoder()
    whole = encoder.listen(mels, SPEC)
    np.testing.assert_array_equal(heard, whole)
    wanted = content.centre_content(whole, encoder.find_centre(whole, speech))
    np.testing.assert_allclose(prepare(heard), wanted, atol=1e-5)
    assert shares == sorted(shares) and shares[-1] == 1.0 and len(shares) == 5


def test_the_second_pass_converts_the_first_conversion_again(voice):
    """`convert_mels` is what `Conversion`s and validation are made by; held against the network."""
    mels, f0_hz = draw_frames(40)
    first, half, second = (
        convert_mels(
            voice.generator,
            mels,
            f0_hz,
            np.ones(40, bool),
            spec=SPEC,
            source=voice.source_stats,
            target=voice.target_stats,
            second_pass=share,
        )
        for share in (0.0, 0.5, 1.0)
    )
    inside = slice(2 * voice.generator.context_frames, -2 * voice.generator.context_frames)
    excitation = excitation_mel(f0_hz, SPEC)
    source = np.minimum(voice.source_stats.normalize(mels), 4.0)
    once = voice.generator.run({"source": source, "excitation": excitation})["mel"]
    wanted = clear_below_f0(voice.target_stats.denormalize(once), f0_hz, SPEC)
    floor = np.float32(np.log(SPEC.log_floor))
    np.testing.assert_allclose(first[inside], wanted.clip(floor)[inside], atol=1e-4)
    again = voice.generator.run({"source": once, "excitation": excitation})["mel"]
    twice = clear_below_f0(voice.target_stats.denormalize(again), f0_hz, SPEC)
    np.testing.assert_allclose(second[inside], twice.clip(floor)[inside], atol=1e-4)
    above = (first > floor) & (second > floor) & (half > floor)
    above &= band_edges_hz(SPEC)[1:-1] >= 0.7 * f0_hz[:, None]  # below it there are limits
    np.testing.assert_allclose(half[above], (first + second)[above] / 2, atol=1e-4)
    assert np.abs(second - first).max() > 0.01
    assert first.dtype == half.dtype == np.float32


def test_the_vocoder_needs_its_context(voice):
    """The test above has teeth: with no context, chunks differ by much more than -80 dB."""
    mels, _ = draw_frames(120)
    vocoder, f0_hz = make_vocoder(), np.zeros(120, np.float32)
    whole = render_in_chunks(vocoder, mels, f0_hz, 120)
    blind = SimpleNamespace(spec=SPEC, context_frames=0, look_ahead_frames=0, decode=vocoder.decode)
    chunked = render_in_chunks(blind, mels, f0_hz, 30)
    assert np.abs(chunked - whole).max() > 1e-2 * np.abs(whole).max()


def test_analysis_in_pieces_is_that_of_training(make_speech, monkeypatch):
    waveform = make_speech(18.0, SPEC.sample_rate)[: 1540 * SPEC.hop_length]
    waveform -= waveform.mean()
    monkeypatch.setattr(analysis, "MEL_FRAMES", 100)
    source = ArraySource(waveform, SPEC.sample_rate)
    mels_found = SpooledFrames(80)
    found = analyze(
        source,
        plan_mixdown(source),
        spec=SPEC,
        waveform=SpooledFrames(1),
        mels=mels_found,
        denoise="off",
        advance=lambda share: None,
    )

    (whole,) = remove_rumble([waveform], SPEC.sample_rate)
    power = frame_power(whole, SPEC.hop_length)
    levelled = (waveform * 10 ** ((ANALYSIS_LEVEL_DB - found.level_db) / 20)).astype(np.float32)
    mels = LogMel(SPEC)(levelled)
    f0_hz = extract_f0(levelled, SPEC)
    pieces = mels_found.read(0, len(mels_found))
    assert pieces.shape == mels.shape
    assert np.abs(pieces - mels).max() < 1e-3
    voiced = (found.f0_hz > 0) & (f0_hz > 0)
    assert np.mean((found.f0_hz > 0) == (f0_hz > 0)) > 0.99
    assert np.mean(np.abs(found.f0_hz[voiced] / f0_hz[voiced] - 1) < 0.005) > 0.99
    speech = find_speech(to_db(power), f0_hz, SPEC.frame_rate)
    assert np.mean(found.speech == speech) > 0.99
    sums = sum_frames(mels, f0_hz, found.speech)
    assert found.sums.n_active == sums.n_active
    assert found.sums.mel == pytest.approx(sums.mel, rel=1e-5)


def test_rows_outlive_memory():
    rows = np.arange(12, dtype=np.float32).reshape(6, 2)
    with SpooledFrames(2) as file:
        file.append(rows[:4])
        file._file.rollover()
        file.append(rows[4:])
        assert len(file) == 6
        assert np.array_equal(file.read(1, 5), rows[1:5])
        # Beyond the ends, the first and last row repeat.
        assert np.array_equal(file.read(-2, 8), rows[[0, 0, 0, 1, 2, 3, 4, 5, 5, 5]])


def test_the_source_filter_vocoder_agrees_with_the_whole_to_80_db():
    """Phases are carried over the borders and noise has its place in the file."""
    torch.manual_seed(0)
    network = SourceFilterVocoder(SPEC, width=16, n_blocks=3)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    vocoder = SourceFilter(store_network(network), SPEC)
    mels, f0_hz = draw_frames(n_frames := 201)
    whole, pieces = (render_in_chunks(vocoder, mels, f0_hz, n) for n in (n_frames, 37))
    assert whole.shape == (n_frames * SPEC.hop_length,)
    assert np.abs(whole - pieces).max() < 1e-4 * np.abs(whole).max()
