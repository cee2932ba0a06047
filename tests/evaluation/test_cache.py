import numpy as np
import pytest

from voxcycle.evaluation.cache import ContentCache


def test_the_same_inputs_are_computed_once(tmp_path):
    calls = []

    def compute():
        calls.append(1)
        return np.arange(3, dtype=np.float32)

    wave = np.ones(4, np.float32)
    for _ in range(2):  # the second time by a new object, from disk
        found = ContentCache(tmp_path / "cache").remember("kind", compute, "en", wave)
        np.testing.assert_array_equal(found, [0, 1, 2])
    assert len(calls) == 1
    assert [p.suffix for p in (tmp_path / "cache").iterdir()] == [".npy"]


def test_every_input_counts(tmp_path):
    cache = ContentCache(tmp_path)
    wave = np.ones(4, np.float32)
    keys = [
        ("kind", "en", wave),
        ("kind", "it", wave),
        ("other", "en", wave),
        ("kind", "en", wave * 2),
        ("kind", "en", wave.astype(np.float64)),
        ("kind", "en", wave[:3]),
    ]
    for number, (kind, *inputs) in enumerate(keys):
        assert cache.remember(kind, lambda n=number: n, *inputs) == number
    for number, (kind, *inputs) in enumerate(keys):
        assert cache.remember(kind, lambda: -1, *inputs) == number


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:-5], lambda b: b"no array at all"])
def test_damaged_files_are_computed_anew(tmp_path, damage):
    cache = ContentCache(tmp_path)
    values = np.arange(5.0)
    cache.remember("kind", lambda: values, "x")
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    np.testing.assert_array_equal(cache.remember("kind", lambda: values, "x"), values)
    np.testing.assert_array_equal(cache.remember("kind", lambda: None, "x"), values)  # mended


def test_strings_come_back(tmp_path):
    cache = ContentCache(tmp_path)
    for _ in range(2):
        found = cache.remember("transcript", lambda: "d\u00e9j\u00e0 vu", "x")
        assert str(found) == "d\u00e9j\u00e0 vu"


def test_without_a_folder_nothing_is_kept():
    cache = ContentCache(None)
    assert [float(cache.remember("kind", lambda n=n: n, "x")) for n in (1, 2)] == [1, 2]
