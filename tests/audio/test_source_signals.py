import numpy as np
import pytest
from scipy.signal import lfilter

from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.source_signals import (
    NOISE_LEAD_FRAMES,
    StreamedPhases,
    noise_blocks,
    onset_phases,
    source_signals,
)

SPEC = MelSpec()
LEAD = NOISE_LEAD_FRAMES * SPEC.hop_length


def make_sources(f0_hz, noise=None, frames=slice(None)):
    """Return pulses, noise (by default silence), pulsed noise and bursts of frames of a contour."""
    part, phases = f0_hz[frames], onset_phases(f0_hz, SPEC)[frames]
    silence = np.zeros(LEAD + len(part) * SPEC.hop_length, np.float32)
    return source_signals(part, phases, silence if noise is None else noise, SPEC)


def draw_noise(n_frames, first=0):
    return noise_blocks(first - NOISE_LEAD_FRAMES, NOISE_LEAD_FRAMES + n_frames, SPEC)


def render(f0_hz, frames=slice(None)):
    return make_sources(f0_hz, frames=frames)[0]


def test_a_constant_pitch_is_the_sum_of_its_harmonics():
    f0 = 187.5
    wave = render(np.full(20, f0, np.float32))
    times = np.arange(len(wave)) / SPEC.sample_rate
    n_harmonics = int(SPEC.sample_rate / 2 / f0)
    expected = sum(np.cos(2 * np.pi * k * f0 * times) for k in range(1, n_harmonics + 1))
    np.testing.assert_allclose(wave, expected * np.sqrt(2 / n_harmonics), atol=1e-4)
    assert np.mean(wave**2) == pytest.approx(1, abs=0.05)


def test_a_glide_has_the_pitch_that_was_asked_for():
    f0 = np.geomspace(90, 300, 150).astype(np.float32)
    # falling by 6 dB an octave, as a voice does: a flat spectrum counts as unvoiced
    voice = lfilter([0.01], [1, -0.99], render(f0)).astype(np.float32)
    found = extract_f0(voice, SPEC)
    both = found[5:-5] > 0
    cents = 1200 * np.abs(np.log2(found[5:-5][both] / f0[5:-5][both]))
    assert both.mean() > 0.9 and np.median(cents) < 10


def test_unvoiced_frames_are_silent_and_onsets_begin_with_a_pulse():
    f0 = np.array([0, 0, 150, 160, 0, 0, 220, 220], np.float32)
    frames = render(f0).reshape(len(f0), SPEC.hop_length)
    assert not frames[[0, 1, 4, 5]].any()
    for onset in (2, 6):
        assert frames[onset].argmax() == 0


def test_phases_are_the_sum_of_the_samples():
    """Across a frame border the phase goes on: no jump larger than one sample's step."""
    f0 = np.array([100, 130, 90, 200, 210], np.float32)
    phases = onset_phases(f0, SPEC)
    centres = (np.arange(5) + 0.5) * SPEC.hop_length
    samples = np.interp(np.arange(5 * SPEC.hop_length) + 0.5, centres, f0)  # held at the ends
    sums = np.concatenate([[0], np.cumsum(samples)])[:: SPEC.hop_length][:5]
    np.testing.assert_allclose(phases, sums / SPEC.sample_rate % 1, atol=1e-9)


@pytest.mark.parametrize("step", [1, 2, 7, 200])
def test_phases_carry_on_however_the_contour_comes(step):
    rng = np.random.default_rng(1)
    f0 = np.where(rng.random(200) < 0.8, rng.uniform(80, 300, 200), 0).astype(np.float32)
    stream = StreamedPhases(SPEC)
    found = np.concatenate([stream.push(f0[i : i + step]) for i in range(0, 200, step)])
    error = (found - onset_phases(f0, SPEC) + 0.5) % 1 - 0.5
    assert np.abs(error).max() < 1e-9


def test_chunks_equal_the_whole():
    rng = np.random.default_rng(0)
    f0 = np.where(rng.random(200) < 0.8, rng.uniform(80, 300, 200), 0).astype(np.float32)
    # one frame of context to either side: F0 is interpolated
    part = render(f0, slice(60, 131))[SPEC.hop_length : -SPEC.hop_length]
    expected = render(f0)[61 * SPEC.hop_length : 130 * SPEC.hop_length]
    np.testing.assert_allclose(part, expected, atol=1e-6)


@pytest.mark.parametrize(("source", "peak"), [(2, 4 * 2 / 3), (3, 4**8 / 12870)])
def test_pulsed_noise_opens_with_the_pulse_and_has_unit_power(source, peak):
    f0 = np.array([0] * 40 + [150] * 400, np.float32)
    noise = draw_noise(len(f0))
    sources = make_sources(f0, noise)
    pulses, same, pulsed = sources[0], sources[1], sources[source]
    voiced = slice(40 * SPEC.hop_length, None)
    assert np.array_equal(same, noise[LEAD:]) and not pulsed[: 40 * SPEC.hop_length].any()
    assert np.square(pulsed[voiced]).mean() == pytest.approx(1, abs=0.02)
    at_pulse = pulses[voiced] > 0.9 * pulses.max()
    assert np.square(pulsed[voiced][at_pulse]).mean() == pytest.approx(peak, rel=0.15)


@pytest.mark.parametrize("hertz", [60, 150, 400])
def test_bursts_resemble_those_of_the_period_before(hertz):
    f0 = np.full(600, hertz, np.float32)
    *_, pulsed, bursts = make_sources(f0, draw_noise(len(f0)))
    period = -(-SPEC.sample_rate // hertz)
    alike = [np.corrcoef(x[period:], x[:-period])[0, 1] for x in (pulsed, bursts)]
    assert abs(alike[0]) < 0.03 and alike[1] == pytest.approx(0.5, abs=0.05)


def test_bursts_of_chunks_equal_those_of_the_whole():
    rng = np.random.default_rng(0)
    f0 = np.where(rng.random(200) < 0.8, rng.uniform(60, 700, 200), 0).astype(np.float32)
    whole = make_sources(f0, draw_noise(200))
    part = make_sources(f0, draw_noise(71, 60), slice(60, 131))
    hop = SPEC.hop_length
    np.testing.assert_allclose(part[:, hop:-hop], whole[:, 61 * hop : 130 * hop], atol=1e-5)


def test_noise_depends_on_its_position_alone():
    whole = noise_blocks(-10, 200, SPEC)
    part = noise_blocks(35, 20, SPEC)
    assert np.array_equal(part, whole[45 * SPEC.hop_length : 65 * SPEC.hop_length])
    assert whole.std() == pytest.approx(1, abs=0.01)
    spectrum = np.abs(np.fft.rfft(whole)) ** 2
    quarters = [q.mean() for q in np.array_split(spectrum, 4)]
    assert max(quarters) / min(quarters) < 1.1  # white
    assert not np.array_equal(noise_blocks(0, 5, SPEC, seed=1), noise_blocks(0, 5, SPEC))


def test_three_sources_are_the_first_three():
    f0 = np.full(50, 150, np.float32)
    noise, phases = draw_noise(len(f0)), onset_phases(f0, SPEC)
    three = source_signals(f0, phases, noise, SPEC, n_sources=3)
    assert np.array_equal(three, source_signals(f0, phases, noise, SPEC)[:3])
