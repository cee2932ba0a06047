"""Judges are imported whole, whichever thread asks first."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from voxcycle.evaluation.optional_deps import MissingJudgeError, import_judge


def test_threads_get_whole_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import time\ntime.sleep(0.3)\nready = True\n"
    (tmp_path / "slow_judge.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(import_judge, "slow_judge")
            while "slow_judge" not in sys.modules:  # it is now half imported
                time.sleep(0.01)
            assert import_judge("slow_judge").ready
            assert first.result().ready
    finally:
        sys.modules.pop("slow_judge", None)


def test_a_missing_judge_is_told_with_the_remedy() -> None:
    with pytest.raises(MissingJudgeError, match=r"\[eval\]"):
        import_judge("no_such_judge")
