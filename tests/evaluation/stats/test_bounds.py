from dataclasses import replace

import pytest

from voxcycle.evaluation.stats.bounds import Result, at_least, at_most, print_bounds, reported


@pytest.mark.parametrize(
    ("bound", "holds"),
    [
        (at_least("x", 2, 2), True),
        (at_least("x", 1.99, 2), False),
        (at_most("x", 2, 2), True),
        (at_most("x", 2.01, 2), False),
        (reported("x", -1e9), True),
        (at_least("x", float("nan"), 0), False),
        (at_most("x", float("nan"), 0), False),
    ],
)
def test_holds(bound, holds):
    assert bound.holds is holds


def test_printing_says_bound_and_failure(capsys):
    assert print_bounds([at_least("recall", 0.5, 0.3), reported("floor", 0.125)])
    assert not print_bounds([at_least("recall", 0.5, 0.3), at_most("FID", 12.0, 10)])
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "recall: 0.5  (>= 0.3)  ok",
        "floor: 0.125",
        "recall: 0.5  (>= 0.3)  ok",
        "FID: 12  (<= 10)  FAILS",
    ]


def test_a_result_comes_back_as_it_was_written(tmp_path):
    bounds = [at_least("recall", 0.5, 0.3), reported("floor", 0.125)]
    result = Result(
        system="gan",
        command="python x",
        n_steps=10,
        n_trainings=1,
        seconds=1.5,
        seed=0,
        bounds=bounds,
        pictures={"a.png": "A picture."},
    )
    assert result.machine["cpu"] and result.machine["threads"] >= 1
    elsewhere = replace(result, machine={"cpu": "another one", "threads": 64})
    elsewhere.save(tmp_path)
    assert Result.load(tmp_path) == elsewhere != result
