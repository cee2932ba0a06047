import pytest

from voxcycle.audio.mel import MelSpec
from voxcycle.vocoders import VocoderError
from voxcycle.vocoders.registry import load_vocoder


def test_a_path_that_leads_nowhere_is_told_as_one():
    with pytest.raises(VocoderError, match="missing/generator.pt: no such vocoder file"):
        load_vocoder("missing/generator.pt", MelSpec())


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(VocoderError, match="unknown vocoder 'wavenet'.*hifigan, fast, griffin-lim"):
        load_vocoder("wavenet", MelSpec())


def test_other_analysis_names_both_sides():
    with pytest.raises(ValueError, match="the voice and the vocoder hifigan.*sample_rate 16000"):
        load_vocoder("hifigan", MelSpec(sample_rate=16_000))


def test_griffin_lim_takes_any_analysis():
    spec = MelSpec(sample_rate=16_000, n_fft=512, hop_length=128, win_length=512, n_mels=40)
    assert load_vocoder("griffin-lim", spec).spec == spec
