import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from voxcycle.audio.mel import MelSpec
from voxcycle.conversion import pipeline as offline
from voxcycle.conversion.pipeline import convert
from voxcycle.vocoders.griffin_lim import GriffinLim


class F0Spy:
    """A vocoder that renders noise as loud as its mels and keeps the F0 that it was given."""

    name, spec, context_frames, look_ahead_frames, follows_f0 = "spy", MelSpec(), 2, 2, True

    def __init__(self):
        self.f0_hz = np.zeros(0, np.float32)

    def decode(self, log_mel, f0_hz=None, position=None):
        assert f0_hz is not None
        self.f0_hz = np.concatenate([self.f0_hz, f0_hz])
        level = np.exp(log_mel).mean(1, keepdims=True)
        noise = np.random.default_rng(0).random(256, np.float32) - 0.5
        return (level * noise).ravel()

    @property
    def mean_hz(self):
        return float(np.exp(np.log(self.f0_hz[self.f0_hz > 0]).mean()))


class Drone(F0Spy):
    """A vocoder of one pitch, 172 Hz."""

    follows_f0 = False

    def decode(self, log_mel, f0_hz=None, position=None):
        return np.tile(np.linspace(0.1, -0.1, 128, dtype=np.float32), 2 * len(log_mel))


@pytest.fixture
def spy():
    return F0Spy()


@pytest.fixture
def convert_speech(voice, spy, make_speech):
    """Convert a second of speech at 22 050 Hz, or another waveform, by the spy."""

    def run(waveform=None, to=voice, sample_rate=22_050, vocoder=spy, **options):
        waveform = make_speech(1.0, sample_rate) if waveform is None else waveform
        return convert(waveform, to, sample_rate=sample_rate, vocoder=vocoder, **options)

    return run


@pytest.fixture(scope="module", params=[8_000, 22_050, 48_000])
def converted(request, voice, make_speech):
    """Quiet speech of 3.2 s at three rates (so that no peak comes near full scale), converted."""
    rate = request.param
    speech = 0.1 * make_speech(3.2, rate)[: int(3.2 * rate) - 17]
    return rate, speech, convert(speech, voice, sample_rate=rate, vocoder=GriffinLim(MelSpec()))


def test_duration_and_level_are_the_inputs(converted, measure_active_db):
    rate, speech, result = converted
    assert result.sample_rate == rate
    assert len(result.waveform) == result.n_samples == len(speech)
    assert result.waveform.dtype == np.float32
    difference = measure_active_db(result.waveform, rate) - measure_active_db(speech, rate)
    # The level is set at 22,050 Hz: at 8,000 Hz, what the voice has above 4 kHz is missing.
    assert abs(difference) < (1.0 if rate == 8_000 else 0.5)
    assert result.notes == []


def test_pauses_stay_quiet(converted, frame_level_db):
    rate, speech, result = converted
    source_db = frame_level_db(speech, rate, 0.02)
    output_db = frame_level_db(result.waveform, rate, 0.02)
    in_pause = source_db < np.percentile(source_db, 95) - 40
    in_pause[1:] &= in_pause[:-1].copy()  # not the frames in which speech ends or begins
    in_pause[:-1] &= in_pause[1:].copy()
    assert in_pause.sum() > 5
    excess = output_db[in_pause] - np.maximum(source_db[in_pause] + 3, -60)
    assert excess.max() < 0


def test_there_is_no_delay(converted):
    rate, speech, result = converted
    envelopes = []
    for waveform in (speech, result.waveform):
        smooth = np.convolve(waveform**2, np.hanning(rate // 50), "same") ** 0.5
        envelope = smooth[:: rate // 1000]  # 1 ms
        envelopes.append(envelope - envelope.mean())
    correlation = np.correlate(envelopes[1], envelopes[0], "full")
    assert abs(int(np.argmax(correlation)) - (len(envelopes[0]) - 1)) <= 6


def test_loud_input_stays_below_full_scale(convert_speech, make_speech):
    speech = 0.95 * np.tanh(20 * make_speech(1.5, 22_050))  # hardly any peaks above its level
    result = convert_speech(speech)
    assert np.abs(result.waveform).max() == pytest.approx(10 ** (-0.1 / 20), abs=1e-5)
    assert any("quieter than the input" in note for note in result.notes)


@pytest.mark.parametrize("output_rate", [8_000, 16_000, 44_100, 192_000])
def test_the_rate_is_the_users(convert_speech, output_rate):
    result = convert_speech(sample_rate=16_000, output_rate=output_rate)
    assert result.sample_rate == output_rate
    assert len(result.waveform) == output_rate


def test_the_same_input_gives_the_same_bits(convert_speech):
    first, second = (
        convert_speech(sample_rate=44_100, vocoder="griffin-lim").waveform for _ in range(2)
    )
    assert np.array_equal(first, second)


def test_channels_do_not_matter(convert_speech, make_speech):
    speech = make_speech(1.2, 22_050)
    mono = convert_speech(speech).waveform
    # 1e-4: the mean of each channel is taken off in another order of rounding.
    for other in (speech, np.zeros_like(speech)):
        output = convert_speech(np.stack([other, speech], 1)).waveform
        assert output == pytest.approx(mono, abs=1e-4)


def test_pitch_follows_the_options(convert_speech, make_speech):
    speech = make_speech(3.0, 22_050, f0_hz=120.0)
    means = {}
    for pitch in ("auto", "keep", 12.0, -5):
        spy = F0Spy()
        convert_speech(speech, vocoder=spy, pitch=pitch)
        means[pitch] = spy.mean_hz
    assert means["keep"] == pytest.approx(120.0, rel=0.06)  # the signal's own
    assert means["auto"] == pytest.approx(210.0, rel=0.06)  # the mean of the voice's statistics
    assert means[12.0] == pytest.approx(2 * means["auto"], rel=1e-3)
    assert means[-5] == pytest.approx(2 ** (-5 / 12) * means["auto"], rel=1e-3)


# At 190 Hz against the stored 130 Hz, the output stays as far above the target's mean.
@pytest.mark.parametrize(
    ("f0_hz", "use_file_stats", "n_notes", "expected_hz"),
    [(130.0, False, 0, 210.0), (190.0, False, 1, 210 * 190 / 130), (190.0, True, 0, 210.0)],
)
def test_a_pair_voice_keeps_its_source_statistics(
    convert_speech, make_voice, make_speech, spy, f0_hz, use_file_stats, n_notes, expected_hz
):
    speech, pair = make_speech(2.0, 22_050, f0_hz=f0_hz), make_voice(is_any_to_one=False)
    result = convert_speech(speech, pair, use_file_stats=use_file_stats)
    assert len(result.notes) == n_notes
    assert spy.mean_hz == pytest.approx(expected_hz, rel=0.06)


def test_pitch_is_corrected_where_the_vocoder_does_not_follow_it(
    convert_speech, make_speech, monkeypatch
):
    def copy(waveform, *, corrected, **_):
        corrected.append(waveform.read(0, len(waveform)))
        return -2.0

    speech = make_speech(2.0, 22_050, 110.0)
    corrected = convert_speech(speech, vocoder=Drone())
    monkeypatch.setattr(offline, "correct_pitch", copy)
    rendered = convert_speech(speech, vocoder=Drone())
    assert "correction" in corrected.seconds
    assert np.abs(corrected.waveform - rendered.waveform).max() > 1e-3
    assert len(rendered.notes) == 1 and "-2.0 semitones" in rendered.notes[0]


def test_the_second_pass_is_the_voices_own_unless_given(convert_speech, voice):
    strong = replace(voice, second_pass=1.0)
    plain, stronger, own, overruled = (
        convert_speech(to=to, vocoder="griffin-lim", second_pass=share).waveform
        for to, share in ((voice, None), (voice, 1.0), (strong, None), (strong, 0.0))
    )
    np.testing.assert_array_equal(own, stronger)
    np.testing.assert_array_equal(overruled, plain)
    assert np.abs(stronger - plain).max() > 0.01


def test_a_voice_that_hears_takes_what_is_said(
    convert_speech, make_voice, make_speech, monkeypatch
):
    """The level of the source changes nothing but the level, its sounds do; chunks do not."""
    voice, speech = make_voice(hears=True), make_speech(8.0, 22_050)
    plain = convert_speech(speech, voice)
    assert plain.seconds["content"] > 0
    softer = convert_speech(0.25 * speech, voice)
    assert np.corrcoef(softer.waveform, plain.waveform)[0, 1] > 0.99
    other = convert_speech(make_speech(8.0, 22_050, seed=1)[::-1].copy(), voice)
    assert np.abs(other.waveform - plain.waveform).max() > 0.01
    monkeypatch.setattr(offline, "equal_chunk_frames", lambda n_frames: 90)
    chunked = convert_speech(speech, voice)
    assert np.abs(chunked.waveform - plain.waveform).max() < 1e-4 * np.abs(plain.waveform).max()


def test_a_voice_that_hears_has_no_second_pass(convert_speech, make_voice):
    voice = make_voice(hears=True, name="ann")
    plain, again = (convert_speech(to=voice, second_pass=share) for share in (None, 0.5))
    np.testing.assert_array_equal(again.waveform, plain.waveform)
    assert not plain.notes
    (note,) = again.notes
    assert note == "a second pass has no effect with the voice ann"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pitch": "up"}, "pitch 'up'"),
        ({"output_rate": 100}, "100 Hz"),
        ({"second_pass": 1.1}, "second_pass 1.1: .* 0 to 1"),
        ({"vocoder": GriffinLim(MelSpec(hop_length=128))}, "hop_length 256 against 128"),
    ],
)
def test_wrong_options_are_told(convert_speech, options, words):
    with pytest.raises(ValueError, match=words):
        convert_speech(**options)


def test_progress_rises_to_one_and_stages_are_timed(convert_speech):
    shares: list[float] = []
    result = convert_speech(progress=shares.append)
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert set(result.seconds) == {"read", "mel", "f0", "generator", "vocoder", "level"}


def test_the_public_names(voice_path, make_speech, tmp_path):
    import voxcycle

    voice = voxcycle.load_voice(voice_path)
    assert isinstance(voice, voxcycle.Voice)
    speech = make_speech(0.6, 16_000)
    soundfile.write(tmp_path / "speech.wav", speech, 16_000, subtype="FLOAT")
    of_array = voxcycle.convert(speech, voice, sample_rate=16_000, vocoder="griffin-lim")
    of_file = voxcycle.convert(tmp_path / "speech.wav", voice_path, vocoder="griffin-lim")
    assert isinstance(of_file, voxcycle.Conversion)
    assert of_file.sample_rate == 16_000 and len(of_file.waveform) == len(speech)
    assert np.array_equal(of_array.waveform, of_file.waveform)
    with pytest.raises(ValueError, match="sample_rate"):
        voxcycle.convert(speech, voice)
    with pytest.raises(ValueError, match="sample_rate"):
        voxcycle.convert(tmp_path / "speech.wav", voice, sample_rate=16_000)


def test_a_conversion_holds_the_f0_asked_for_and_the_statistics(convert_speech, spy):
    result = convert_speech()
    context = spy.context_frames
    assert np.array_equal(spy.f0_hz[context : context + len(result.f0_hz)], result.f0_hz)
    assert result.source_stats.mel_mean.shape == (80,)


# Peak memory is a process's own, so each length gets a process.
LONG_CONVERSION = """
import json, resource, sys
from pathlib import Path
from voxcycle.audio.io import FileSource
from voxcycle.audio.output import choose_format
from voxcycle.conversion.pipeline import convert_file
from voxcycle.runtime.session import use_threads
from voxcycle.vocoders.registry import load_vocoder
from voxcycle.voices.voice import Voice

use_threads(1)
voice = Voice.load(Path(sys.argv[1]))
source = FileSource(Path(sys.argv[2]))
vocoder = load_vocoder("fast", voice.spec)
convert_file(source, Path(sys.argv[3]), choose_format(source), voice, vocoder)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"peak_mb": peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("hears", [False, True])
def test_an_hour_needs_no_more_memory_than_ten_minutes(tmp_path, make_voice, make_speech, hears):
    make_voice(hears=hears).save(voice_path := tmp_path / "voice.safetensors")
    minute = make_speech(60.0, 16_000)
    peaks = {}
    for minutes in (10, 60):
        source, target = tmp_path / f"{minutes}.flac", tmp_path / f"{minutes}.out.flac"
        with soundfile.SoundFile(source, "w", 16_000, 1, "PCM_16") as file:
            for _ in range(minutes):
                file.write(minute)
        command = [sys.executable, "-c", LONG_CONVERSION, voice_path, source, target]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks[minutes] = json.loads(done.stdout)["peak_mb"]
        assert soundfile.info(target).frames == minutes * 60 * 16_000
    assert peaks[60] < 350
    assert peaks[60] < 1.3 * peaks[10]  # frame-wise levels and F0 are all that grows


def test_sung_intervals_are_kept(convert_speech, spy, voice):
    rate, notes_hz = 22_050, (110.0, 220.0, 330.0)
    phase = np.cumsum(np.repeat(notes_hz, rate)) / rate
    sung = 0.1 * sum(np.sin(2 * np.pi * k * phase) / k for k in range(1, 10)).astype(np.float32)
    for pitch in ("auto", "sing"):
        spy.f0_hz = np.zeros(0, np.float32)
        result = convert_speech(sung, pitch=pitch)
        found = [
            np.median(result.f0_hz[round((i + 0.3) * 86) : round((i + 0.7) * 86)]) for i in range(3)
        ]
        np.testing.assert_allclose(np.divide(found[1:], found[0]), [2, 3], rtol=0.02)
        assert any("intervals" in note for note in result.notes) == (pitch == "auto")


def test_a_pitch_beyond_the_excitation_is_said(convert_speech):
    t = np.arange(2 * 22_050) / 22_050
    high = 0.1 * sum(np.sin(2 * np.pi * 850 * k * t) / k for k in (1, 2, 3)).astype(np.float32)
    assert any("above 700" in note for note in convert_speech(high, pitch="keep").notes)
    low = 0.1 * sum(np.sin(2 * np.pi * 110 * k * t) / k for k in range(1, 9)).astype(np.float32)
    for shift, said in ((-24, "below 60 Hz"), (-2, None), (24, "above 700 Hz")):
        notes = [n for n in convert_speech(low, pitch=shift).notes if "held there" in n]
        assert [said in n for n in notes] == ([True] if said else [])
