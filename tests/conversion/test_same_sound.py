"""Conversions by ONNX Runtime are those of the PyTorch modules, which trainings know."""

import numpy as np
import pytest
import torch

from voxcycle import convert
from voxcycle.audio.activity import find_activity
from voxcycle.audio.excitation import clear_below_f0, excitation_mel
from voxcycle.audio.f0 import transform_f0
from voxcycle.audio.mel import LogMel
from voxcycle.audio.source_signals import (
    NOISE_LEAD_FRAMES,
    noise_blocks,
    onset_phases,
    source_signals,
)
from voxcycle.audio.stats import estimate_stats, sum_frames
from voxcycle.conversion.stages import convert_mels, render_mels
from voxcycle.models.source_filter_networks import SourceFilterVocoder
from voxcycle.models.weights import load_network
from voxcycle.runtime.session import use_threads
from voxcycle.speech.listener import Listener
from voxcycle.speech.networks import load_generator
from voxcycle.vocoders.registry import load_vocoder
from voxcycle.voices.content import centre_content, load_phonetic_encoder
from voxcycle.voices.library import load_voice

RATE = 22_050
LIMIT_DB = -80


def error_db(found, wanted):
    return 10 * np.log10(np.mean((found - wanted) ** 2) / np.mean(wanted**2))


@pytest.mark.parametrize("name", ["heart", "michael", "emma", "george"])
def test_every_shipped_voice_sounds_as_in_pytorch(name, demo):
    """The networks see the whole at once in PyTorch, and chunks of it in conversions."""
    voice, vocoder = load_voice(name), load_vocoder("fast", load_voice(name).spec)
    spec, found = voice.spec, find_activity(demo, voice.spec)
    mel = LogMel(spec)(found.level(demo))
    stats = estimate_stats(sum_frames(mel, found.f0_hz, found.speech), voice.source_stats)
    f0_hz = transform_f0(found.f0_hz, stats, voice.target_stats)

    with torch.inference_mode():

        def batch(frames):
            return torch.from_numpy(np.ascontiguousarray(frames.T, np.float32))[None]

        heard = Listener(spec).hear(batch(mel))[0].T.numpy()
        centre = load_phonetic_encoder().find_centre(heard, found.speech)
        source = batch(centre_content(heard, centre))
        converted = load_generator(voice.generator).eval()(
            source, batch(excitation_mel(f0_hz, spec))
        )
        wanted_mel = voice.target_stats.denormalize(converted[0].T.numpy())
        wanted_mel = clear_below_f0(wanted_mel, f0_hz, spec)
        wanted_mel = np.maximum(wanted_mel, np.float32(np.log(spec.log_floor)))
        module = load_network(
            lambda: SourceFilterVocoder(spec, **vocoder.network.arguments), vocoder.network.weights
        ).eval()
        noise = noise_blocks(-NOISE_LEAD_FRAMES, NOISE_LEAD_FRAMES + len(f0_hz), spec)
        sources = source_signals(f0_hz, onset_phases(f0_hz, spec), noise, spec, module.n_sources)
        inputs = (batch(wanted_mel), torch.from_numpy(f0_hz)[None], torch.from_numpy(sources)[None])
        wanted = module(*inputs)[0].numpy()

    found_mel = convert_mels(
        voice.generator,
        mel,
        f0_hz,
        found.speech,
        spec=spec,
        source=stats,
        target=voice.target_stats,
    )
    # Both ends see held frames in conversions, zeros in one PyTorch call.
    inner = slice(voice.generator.context_frames, -voice.generator.context_frames)
    assert np.abs(found_mel - wanted_mel)[inner].max() < 1e-3
    edge = (voice.generator.context_frames + vocoder.context_frames) * spec.hop_length
    rendered = render_mels(vocoder, found_mel, f0_hz)
    assert error_db(rendered[edge:-edge], wanted[edge:-edge]) < LIMIT_DB


@pytest.mark.parametrize("vocoder", ["fast", "griffin-lim"])
def test_neither_runs_nor_threads_change_a_bit(demo, vocoder):
    waveforms = []
    for n_threads in (1, 2, 1):
        use_threads(n_threads)
        load_phonetic_encoder.cache_clear()  # networks keep the threads of their first run
        voice = load_voice("heart")
        waveforms.append(convert(demo, voice, sample_rate=RATE, vocoder=vocoder).waveform)
    for other in waveforms[1:]:
        np.testing.assert_array_equal(other, waveforms[0])
