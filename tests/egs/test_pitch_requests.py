"""egs/real/pitch_requests.py: conversions at the pitch that was asked for."""

import json
import sys
from pathlib import Path

DEMO = Path(__file__).parents[2] / "recipes" / "demo.flac"


def test_a_row_per_vocoder_and_shift(load_script, monkeypatch, capsys):
    script = load_script("pitch_requests")
    given = [str(DEMO), "--voice", "heart", "--shifts", "0", "-7"]
    monkeypatch.setattr(sys, "argv", ["pitch_requests.py", *given])
    script.main()
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["row"], row["shift"]) for row in rows] == [("fast", 0), ("fast", -7)]
    assert all(0 < row["rmse"] < 0.4 and row["voicing_errors"] < 0.1 for row in rows)


def test_errors_are_pooled_over_frames(load_script):
    script = load_script("pitch_requests")
    one = script.PitchErrors(n_frames=10, n_both=8, n_gross=0, n_voicing=1, sum_square=2.0)
    two = script.PitchErrors(n_frames=30, n_both=12, n_gross=4, n_voicing=3, sum_square=2.0)
    found = script.summarise([one, two])
    assert found == {"rmse": 0.5, "gross": 0.2, "voicing_errors": 0.1}
