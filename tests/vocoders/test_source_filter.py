import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from voxcycle.artifacts import ArtifactError
from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.audio.source_signals import (
    NOISE_LEAD_FRAMES,
    noise_blocks,
    onset_phases,
    source_signals,
)
from voxcycle.models.source_filter_networks import LOG_F0_MEAN, LOG_F0_STD, SourceFilterVocoder
from voxcycle.models.weights import store_network
from voxcycle.vocoders.registry import load_vocoder
from voxcycle.vocoders.source_filter import SourceFilter

SPEC = MelSpec()


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    vocoder = SourceFilter(store_network(SourceFilterVocoder(SPEC, width=16, n_blocks=2)), SPEC)
    path = tmp_path / "small.safetensors"
    vocoder.save(path, {"steps": 3})
    return vocoder, path


def test_a_saved_vocoder_renders_the_same(saved, speech):
    vocoder, path = saved
    loaded = load_vocoder(str(path), SPEC)
    mel = LogMel(SPEC)(speech)
    f0_hz = extract_f0(speech, SPEC)
    first, second = (v.decode(mel, f0_hz) for v in (vocoder, loaded))
    assert first.shape == speech.shape
    # weights are kept in fp16: 2^-11 of each
    np.testing.assert_allclose(first, second, atol=2e-3 * np.abs(first).max())
    assert np.array_equal(second, loaded.decode(mel, f0_hz))  # noise and phases repeat
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_without_f0_it_takes_what_it_hears_in_the_mel(saved, speech):
    vocoder, _ = saved
    mel = LogMel(SPEC)(speech)
    weights = dict(vocoder.network.weights)
    weights["pitch.out.weight"] = np.zeros_like(weights["pitch.out.weight"])
    for voicing, expected in ((1.0, 150.0), (-1.0, 0.0)):
        log_f0 = (math.log(150.0) - LOG_F0_MEAN) / LOG_F0_STD
        weights["pitch.out.bias"] = np.array([voicing, log_f0], np.float32)
        certain = SourceFilter(replace(vocoder.network, weights=weights), SPEC)
        f0_hz = certain.estimate_f0(mel)
        np.testing.assert_allclose(f0_hz, np.full(len(mel), expected), rtol=1e-5)
        assert np.array_equal(certain.decode(mel), certain.decode(mel, f0_hz))


def write_format_1(path, **document):
    save_file(load_file(path), path, metadata={"voxcycle_vocoder": json.dumps(document)})


def test_arguments_of_older_files_are_dropped_or_refused(saved):
    """Format 1 names `has_puffs` and `sees_source`; only the values of today still load."""
    vocoder, path = saved
    document = {"format_version": 1, "mel_spec": SPEC.to_dict(), "about": {}}
    arguments = vocoder.network.arguments | {"has_puffs": True, "sees_source": False}
    write_format_1(path, **document, network=arguments)
    assert SourceFilter.load(path).network.arguments == vocoder.network.arguments
    write_format_1(path, **document, network=arguments | {"has_puffs": False})
    with pytest.raises(ArtifactError, match="has_puffs=False"):
        SourceFilter.load(path)


def test_the_shipped_one_keeps_a_low_pitch(make_speech):
    """Where 80 mel bands cannot tell the harmonics apart, the given contour decides."""
    waveform = make_speech(2.0, SPEC.sample_rate, 85.0)
    wanted = extract_f0(waveform, SPEC)
    got = extract_f0(load_vocoder("fast", SPEC).decode(LogMel(SPEC)(waveform), wanted), SPEC)
    both = (wanted > 0) & (got > 0)
    assert both.sum() > 0.8 * (wanted > 0).sum()
    semitones = 12 * np.abs(np.log2(got[both] / wanted[both]))
    assert np.sqrt(np.mean(semitones**2)) < 0.5


def test_the_shipped_one_hears_pitch_in_mels(speech):
    log_mel = LogMel(SPEC)(speech)
    wanted = extract_f0(speech, SPEC)
    heard = load_vocoder("fast", SPEC).estimate_f0(log_mel)
    both = (wanted > 0) & (heard > 0)
    assert ((wanted > 0) == (heard > 0)).mean() > 0.85
    assert np.median(12 * np.abs(np.log2(heard[both] / wanted[both]))) < 1.0


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"has_phase": False, "has_prior": False},
        {"n_fft": 512, "filters_per_frame": 2, "n_sources": 4},
        {"n_fft": 512, "filters_per_frame": 2, "n_sources": 4, "breath": 0.6, "noise_spread": 0.3},
        {"n_fft": 256, "filters_per_frame": 4, "has_phase": False},
    ],
)
def test_it_renders_what_the_trained_module_renders(speech, arguments):
    torch.manual_seed(0)
    module = SourceFilterVocoder(SPEC, width=16, n_blocks=2, **arguments).eval()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    vocoder = SourceFilter(store_network(module), SPEC)
    mel, f0_hz = LogMel(SPEC)(speech), extract_f0(speech, SPEC)
    noise = noise_blocks(-NOISE_LEAD_FRAMES, NOISE_LEAD_FRAMES + len(f0_hz), SPEC)
    sources = source_signals(f0_hz, onset_phases(f0_hz, SPEC), noise, SPEC, module.n_sources)
    with torch.no_grad():
        batch = (torch.from_numpy(x)[None] for x in (mel.T.copy(), f0_hz, sources))
        wanted = module(*batch)[0].numpy()
    found = vocoder.decode(mel, f0_hz)
    error_db = 10 * np.log10(np.square(found - wanted).mean() / np.square(wanted).mean())
    assert error_db < -80
    assert vocoder.context_frames == module.context_frames


def test_files_without_the_newer_arguments_have_the_filters_of_their_time(saved):
    vocoder, path = saved
    arguments = dict(vocoder.network.arguments)
    assert [arguments.pop(name) for name in ("n_fft", "filters_per_frame", "n_sources")] == [
        1024,
        1,
        3,
    ]
    older = SourceFilter(replace(vocoder.network, arguments=arguments), SPEC)
    mel = np.zeros((20, 80), np.float32)
    f0_hz = np.full(20, 150, np.float32)
    assert np.array_equal(older.decode(mel, f0_hz), vocoder.decode(mel, f0_hz))


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_fft": 300},
        {"n_fft": 256},
        {"filters_per_frame": 3},
        {"n_sources": 5},
        {"n_fft": 0.5},
        {"breath": 1.0, "n_sources": 4},
        {"breath": 0.5},  # of three sources none are bursts
        {"noise_spread": -0.1},
        {"voiced_noise": 0.5},  # files had it once
    ],
)
def test_filters_that_cannot_be_are_refused(saved, wrong):
    vocoder, path = saved
    arguments = vocoder.network.arguments | wrong
    replace(vocoder, network=replace(vocoder.network, arguments=arguments)).save(path, {})
    with pytest.raises(ArtifactError, match=next(iter(wrong))):
        SourceFilter.load(path)


def test_breath_turns_pulses_above_two_kilohertz_into_bursts():
    """What was a train of equal pulses is bursts of the same power there, and pulses below."""
    torch.manual_seed(0)
    mel, f0_hz = np.full((200, 80), -3.0, np.float32), np.full(200, 120, np.float32)
    spectra = []
    for breath in (0.0, 0.99):
        module = SourceFilterVocoder(SPEC, width=16, n_blocks=1, n_sources=4, breath=breath)
        for parameter in module.out.parameters():
            torch.nn.init.zeros_(parameter)
        module.out.bias.data.view(1, 5, 513)[:, 1:4] = -20.0  # pulses alone
        waveform = SourceFilter(store_network(module), SPEC).decode(mel, f0_hz)
        window = np.hanning(11_025)  # harmonics are 120 of its bins apart, in steps of 2 Hz
        spectra.append(np.abs(np.fft.rfft(waveform[11_025:22_050] * window)) ** 2)

    def peakiness(spectrum, low_hz, high_hz):
        part = spectrum[low_hz // 2 : high_hz // 2]
        return part.max() / part.mean()

    before, after = spectra
    assert peakiness(after, 300, 900) == pytest.approx(peakiness(before, 300, 900), rel=0.05)
    assert peakiness(before, 3000, 6000) > 2 * peakiness(after, 3000, 6000)
    power = [x[1500:3000].sum() for x in spectra]
    assert power[1] == pytest.approx(power[0], rel=0.25)
