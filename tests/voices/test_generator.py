"""What is done to a generator as numbers: binding, blending, and the filter over the mel bands."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from voxcycle.audio.stats import DomainStats
from voxcycle.models.voice_generator import VoiceGenerator
from voxcycle.models.weights import store_network
from voxcycle.voices.generator import Generator

RNG = np.random.default_rng(0)
MEAN, STD = RNG.normal(-5, 1, 80).astype(np.float32), RNG.uniform(0.3, 2, 80).astype(np.float32)
STATS = DomainStats(MEAN, STD, 5.0, 0.2)
INPUTS = {
    "source": RNG.normal(size=(30, 80)).astype(np.float32),
    "excitation": RNG.normal(size=(30, 81)).astype(np.float32),
}


def make_generator(seed=0, **arguments):
    """Return a small generator as a module whose weights are all in use, and as numbers."""
    torch.manual_seed(seed)
    module = VoiceGenerator(**{"width": 16, "n_blocks": 2, "has_skip": False} | arguments).eval()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    stored = store_network(module)
    return module, Generator(stored.arguments, stored.weights)


@pytest.fixture
def generator():
    return make_generator()[1]


def render(generator):
    """Return log-mels (F, n_mels) of some speech."""
    return STATS.denormalize(generator.run(INPUTS)["mel"])


def test_what_the_neighbours_do_not_have_grows(generator):
    before = render(generator)
    after = render(generator.filter_formants(STATS, 0.5))
    change = before - STATS.mel_mean
    held = np.pad(change, ((0, 0), (4, 4)), mode="edge")
    smooth = np.stack([held[:, band : band + 9].mean(1) for band in range(80)], 1)
    assert np.abs(change - smooth).max() > 0.1
    np.testing.assert_allclose(after, before + 0.5 * (change - smooth), atol=1e-4)
    np.testing.assert_array_equal(render(generator), before)  # a copy was filtered
    np.testing.assert_array_equal(render(generator.filter_formants(STATS, 0.0)), before)


def test_the_mean_spectrum_stays(generator):
    weights = {
        name: array * (not name.startswith("out.")) for name, array in generator.weights.items()
    }
    after = render(replace(generator, weights=weights).filter_formants(STATS, 0.5))
    np.testing.assert_allclose(after, np.broadcast_to(STATS.mel_mean, after.shape), atol=1e-5)


def test_generators_with_the_skip_are_refused():
    _, generator = make_generator(has_skip=True)
    with pytest.raises(ValueError, match="without a skip"):
        generator.filter_formants(STATS, 0.15)


def test_a_bound_generator_is_the_module_under_that_condition():
    module, generator = make_generator(n_condition=4)
    condition = np.array([0.5, -1, 2, 0.1], np.float32)
    bound = generator.bind(condition)
    assert bound.n_condition == 0 and generator.n_condition == 4
    batch = {name: torch.from_numpy(array.T[None].copy()) for name, array in INPUTS.items()}
    with torch.no_grad():
        wanted = module(**batch, condition=torch.from_numpy(condition)[None])[0].T.numpy()
        plain = module(**batch, condition=torch.zeros(1, 4))[0].T.numpy()
    assert np.abs(wanted - plain).max() > 0.1
    np.testing.assert_allclose(bound.run(INPUTS)["mel"], wanted, atol=1e-4)
    with pytest.raises(ValueError, match="must be bound"):
        generator.run(INPUTS)


def test_a_blend_lies_on_the_line_between_both():
    (_, one), (_, two) = make_generator(0), make_generator(1)
    for share in (0.0, 0.25, 1.0):
        blended = one.blend(two, share)
        for name, array in blended.weights.items():
            wanted = (1 - share) * one.weights[name] + share * two.weights[name]
            np.testing.assert_allclose(array, wanted, atol=1e-6)


def test_a_generator_without_f0_takes_none():
    _, generator = make_generator(n_excitation=0)
    assert generator.run(INPUTS)["mel"].shape == (30, 80)


@pytest.mark.parametrize("change", ["missing", "shape", "extra"])
def test_weights_of_another_network_are_refused(generator, change):
    weights = dict(generator.weights)
    if change == "missing":
        del weights["blocks.1.norm.bias"]
    elif change == "extra":
        weights["blocks.2.norm.bias"] = np.zeros(16, np.float32)
    else:
        weights["blocks.1.norm.bias"] = np.zeros(15, np.float32)
    name = "blocks.2" if change == "extra" else "blocks.1"
    with pytest.raises(ValueError, match=f"another network: {name}.norm.bias"):
        replace(generator, weights=weights).check()


def test_a_generator_that_has_run_is_copied_and_pickled(generator):
    wanted = generator.run(INPUTS)["mel"]
    for copied in (copy.deepcopy(generator), pickle.loads(pickle.dumps(generator))):
        np.testing.assert_array_equal(copied.run(INPUTS)["mel"], wanted)


def test_threads_may_share_a_generator(generator):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: generator.run(INPUTS)["mel"], range(8)))
    assert all(np.array_equal(mel, found[0]) for mel in found)


def test_what_onnx_runtime_refuses_is_a_runtime_error(generator):
    with pytest.raises(RuntimeError, match="ONNX Runtime"):
        generator.run(INPUTS | {"source": np.zeros((30, 7))})
