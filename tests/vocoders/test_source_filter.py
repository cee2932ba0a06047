import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from voxcycle.artifacts import ArtifactError
from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.models.source_filter_networks import LOG_F0_MEAN, LOG_F0_STD, SourceFilterVocoder
from voxcycle.vocoders.registry import load_vocoder
from voxcycle.vocoders.source_filter import SourceFilter

SPEC = MelSpec()


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    vocoder = SourceFilter(SourceFilterVocoder(SPEC, width=16, n_blocks=2))
    path = tmp_path / "small.safetensors"
    vocoder.save(path, {"steps": 3})
    return vocoder, path


def test_a_saved_vocoder_renders_the_same(saved, speech):
    vocoder, path = saved
    loaded = load_vocoder(str(path), SPEC)
    mel = LogMel(SPEC)(speech)
    f0_hz = torch.from_numpy(extract_f0(speech[0].numpy(), SPEC))[None]
    first, second = (v.decode(mel, f0_hz) for v in (vocoder, loaded))
    assert first.shape == speech.shape
    # weights are kept in fp16: 2^-11 of each
    torch.testing.assert_close(first, second, atol=2e-3 * first.abs().max().item(), rtol=0)
    assert torch.equal(second, loaded.decode(mel, f0_hz))  # noise and phases repeat
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_without_f0_it_takes_what_it_hears_in_the_mel(saved, speech):
    vocoder, _ = saved
    mel = LogMel(SPEC)(speech)
    torch.nn.init.zeros_(vocoder.network.pitch.out.weight)
    for voicing, expected in ((1.0, 150.0), (-1.0, 0.0)):
        log_f0 = (math.log(150.0) - LOG_F0_MEAN) / LOG_F0_STD
        vocoder.network.pitch.out.bias.data = torch.tensor([voicing, log_f0])
        f0_hz = vocoder.network.pitch.estimate(mel)
        torch.testing.assert_close(f0_hz, torch.full((1, mel.shape[-1]), expected))
        assert torch.equal(vocoder.decode(mel), vocoder.decode(mel, f0_hz))


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
    log_mel = LogMel(SPEC)(torch.from_numpy(waveform)[None])
    copy = load_vocoder("fast", SPEC).decode(log_mel, torch.from_numpy(wanted)[None])
    got = extract_f0(copy[0].numpy(), SPEC)
    both = (wanted > 0) & (got > 0)
    assert both.sum() > 0.8 * (wanted > 0).sum()
    semitones = 12 * np.abs(np.log2(got[both] / wanted[both]))
    assert np.sqrt(np.mean(semitones**2)) < 0.5


def test_the_shipped_one_hears_pitch_in_mels(speech):
    log_mel = LogMel(SPEC)(speech)
    wanted = extract_f0(speech[0].numpy(), SPEC)
    heard = load_vocoder("fast", SPEC).network.pitch.estimate(log_mel)[0].numpy()
    both = (wanted > 0) & (heard > 0)
    assert ((wanted > 0) == (heard > 0)).mean() > 0.85
    assert np.median(12 * np.abs(np.log2(heard[both] / wanted[both]))) < 1.0
