import warnings

import numpy as np
import pytest

from voxcycle.evaluation.metrics.naturalness import DNSMOS, DistillMOS


@pytest.fixture(scope="module")
def dnsmos():
    pytest.importorskip("speechmos")
    return DNSMOS()


@pytest.fixture(scope="module")
def distillmos():
    pytest.importorskip("distillmos")
    return DistillMOS()


@pytest.mark.parametrize("duration_s", [2.5, 11.7])  # repeated to the window; several windows
def test_dnsmos_is_the_packages_overall_score(dnsmos, make_speech, duration_s):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from speechmos import dnsmos as reference

    speech = make_speech(duration_s, 16_000)
    expected = reference.run(speech, 16_000)["ovrl_mos"]
    assert dnsmos.score(speech) == pytest.approx(expected, abs=1e-3)  # float32 network


def test_dnsmos_refuses_what_it_never_saw(dnsmos):
    with pytest.raises(ValueError, match=r"peak 1\.5"):
        dnsmos.score(np.full(16_000, 1.5, np.float32))
    with pytest.raises(ValueError, match="silence"):
        dnsmos.score(np.zeros(16_000, np.float32))


def test_distillmos_does_not_depend_on_level(distillmos, make_speech):
    speech = make_speech(3, 16_000)  # the network divides by the peak
    assert distillmos.score(0.25 * speech) == pytest.approx(distillmos.score(speech), abs=1e-3)


def test_distillmos_hears_noise(distillmos, make_speech):
    speech = make_speech(3, 16_000)
    noise = np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    noisy = speech + noise * np.sqrt(np.mean(speech**2))  # 0 dB
    assert distillmos.score(noisy) < distillmos.score(speech)
    with pytest.raises(ValueError, match="silence"):
        distillmos.score(np.zeros(16_000, np.float32))
