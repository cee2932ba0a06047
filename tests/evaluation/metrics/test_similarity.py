import numpy as np
import pytest

from voxcycle.evaluation.metrics.similarity import (
    ResemblyzerEmbedder,
    centroid,
    cosine,
    equal_error_rate,
)


def test_cosine_by_hand():
    assert cosine(np.array([3.0, 4.0]), np.array([4.0, 3.0])) == pytest.approx(24 / 25)
    assert cosine(np.array([1.0, 0.0]), np.array([0.0, 7.0])) == 0


def test_centroid_is_the_unit_mean():
    found = centroid([np.array([1.0, 0.0]), np.array([0.0, 1.0])])
    np.testing.assert_allclose(found, [0.5**0.5, 0.5**0.5], rtol=1e-6)
    with pytest.raises(ValueError, match="centroid"):
        centroid([])


@pytest.fixture(scope="module")
def embedder():
    pytest.importorskip("resemblyzer")
    return ResemblyzerEmbedder()


def test_embedding_is_the_packages_own(embedder, make_speech):
    from resemblyzer import VoiceEncoder, preprocess_wav

    speech = make_speech(4, 16_000)
    expected = VoiceEncoder("cpu", verbose=False).embed_utterance(preprocess_wav(speech))
    found = embedder.embed(speech)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)


def test_embedding_of_a_quiet_copy_is_the_same_speaker(embedder, make_speech):
    # The package raises what is below -30 dBFS to that level: two levels below it are one.
    speech = make_speech(4, 16_000)
    level = np.sqrt(np.mean(speech**2))
    quiet, quieter = (speech * gain / level for gain in (10**-1.75, 10**-2.25))
    assert cosine(embedder.embed(quiet), embedder.embed(quieter)) > 0.99


def test_two_pitches_are_two_speakers(embedder, make_speech):
    low, low_again = make_speech(4, 16_000, 100.0), make_speech(4, 16_000, 100.0, seed=1)
    high = make_speech(4, 16_000, 260.0)
    own = embedder.embed(low)
    assert cosine(own, embedder.embed(low_again)) > cosine(own, embedder.embed(high)) + 0.1


def test_silence_has_no_speaker(embedder):
    with pytest.raises(ValueError, match="silence"):
        embedder.embed(np.zeros(16_000, np.float32))


def test_equal_error_rate_by_hand():
    assert equal_error_rate([0.9, 0.8], [0.3, 0.2]) == 0.0  # a threshold parts them
    assert equal_error_rate([0.3, 0.2], [0.9, 0.8]) == 1.0
    # a threshold of 0.6 refuses one genuine of four and accepts one impostor of four
    assert equal_error_rate([0.9, 0.8, 0.7, 0.5], [0.6, 0.4, 0.3, 0.2]) == pytest.approx(0.25)
    scores = np.random.default_rng(0).normal(size=4000)
    assert equal_error_rate(scores[:2000], scores[2000:]) == pytest.approx(0.5, abs=0.03)


def test_equal_error_rate_is_where_the_curves_cross():
    """By brute force: walking along the lines between neighbouring thresholds in small steps."""
    rng = np.random.default_rng(0)
    for n_genuine, n_impostors in ((1, 1), (1, 7), (3, 2), (5, 13), (40, 7)):
        # rounded, so that there are ties
        genuine = np.round(rng.normal(0.5, 1, n_genuine), 1)
        impostors = np.round(rng.normal(0, 1, n_impostors), 1)
        scores = sorted({*genuine, *impostors}, reverse=True)
        corners = [(0.0, 1.0)] + [(np.mean(impostors >= t), np.mean(genuine < t)) for t in scores]
        lines = [np.linspace(a, b, 2001) for a, b in zip(corners, corners[1:], strict=False)]
        points = np.concatenate(lines)
        expected = points[np.argmin(np.abs(points[:, 0] - points[:, 1]))].mean()
        assert equal_error_rate(genuine, impostors) == pytest.approx(expected, abs=1e-3)
