"""`voxcycle convert --dry-run`: what a batch has to do, without doing it."""

import pytest

from voxcycle.conversion import estimate as module
from voxcycle.conversion.batch import Batch
from voxcycle.conversion.estimate import estimate
from voxcycle.conversion.options import Options


@pytest.fixture
def plan(recordings, voice_path, tmp_path):
    """Plan the five recordings of half a second."""

    def make(**options):
        out = tmp_path / "out"
        return Batch([recordings], voice_path, out, options=Options(**options), vocoder="fast")

    return make


def test_it_counts_what_is_left_and_writes_nothing(plan, tmp_path):
    found = estimate(plan())
    assert (found.n_left, found.n_done, found.errors) == (5, 0, [])
    assert found.hours == pytest.approx(5 * 0.5 / 3600) and found.seconds > 0
    assert not (tmp_path / "out").exists()


def test_what_an_earlier_call_converted_is_not_counted(plan):
    assert len(list(plan().run())) == 5
    found = estimate(plan())
    assert (found.n_left, found.n_done, len(found.errors)) == (0, 4, 1)
    assert found.hours == 0 and found.seconds is None


def test_the_trial_converts_with_the_options_that_were_given(plan, monkeypatch):
    seen, convert = [], module.convert

    def watch(*args, **given):
        seen.append((given["pitch"], given["denoise"], given["output_rate"]))
        return convert(*args, **given)

    monkeypatch.setattr(module, "convert", watch)
    assert estimate(plan(pitch=3.0, denoise="on", output_rate=44_100)).seconds > 0
    assert set(seen) == {(3.0, "on", 44_100)}
