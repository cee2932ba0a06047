"""Packages of metrics are imported whole by any thread, and missing ones are named."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from voxcycle.evaluation.optional_deps import MissingPackageError, import_metric, package_folder


def test_threads_get_whole_modules(tmp_path, monkeypatch):
    text = "import time\ntime.sleep(0.3)\nready = True\n"
    (tmp_path / "slow_metric.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(import_metric, "slow_metric")
            while "slow_metric" not in sys.modules:  # it is now half imported
                time.sleep(0.01)
            assert import_metric("slow_metric").ready
            assert first.result().ready
    finally:
        sys.modules.pop("slow_metric", None)


def test_a_missing_metric_is_reported_with_the_remedy():
    for find in (import_metric, package_folder):
        with pytest.raises(MissingPackageError, match=r"no_such_metric.*install.*\[eval\]"):
            find("no_such_metric")
