import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from voxcycle.evaluation.stats.bounds import Result
from voxcycle.images.image_set import ImageSet
from voxcycle.images.train import MODEL_FILE


@pytest.fixture
def make_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Make recipes with settings of the test's own: of a ring of 8 steps, and of a classifier."""
    import recipe

    small = "batch_size: 8\nthreads: 1\n"
    (tmp_path / "gan_ring.yaml").write_text(f"width: 8\nsteps: 8\n{small}")
    (tmp_path / "classifier.yaml").write_text(
        f"data: avatars/train.npz\nwidth: 4\nsteps: 2\n{small}"
    )
    monkeypatch.setattr(recipe, "SETTINGS", tmp_path)
    return lambda name, *words: recipe.Recipe(name, tmp_path, tmp_path / "out" / name, words)


def test_recipes_share_one_classifier_whatever_their_own_settings(
    make_recipe: Callable[..., Any], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(16, 1, 8, 8)).astype(np.uint8)
    labels = np.stack([np.arange(16) % 3, np.arange(16) % 2], 1)
    ImageSet(pixels, labels, ("shape", "shade")).save(tmp_path / "toys" / "train.npz")
    first = make_recipe("gan", "steps=9").classifier("toys")
    path = tmp_path / "out" / "classifier" / "toys" / MODEL_FILE
    written = path.stat().st_mtime_ns
    second = make_recipe("other").classifier("toys")
    assert path.stat().st_mtime_ns == written  # not trained again
    images = torch.from_numpy(pixels / 127.5 - 1).float()
    assert [len(row) for row in first.network(images)[0]] == [3] * 16  # values of the first factor
    torch.testing.assert_close(first.network.features(images), second.network.features(images))
    assert not first.training


def test_the_parts_of_a_training_are_those_of_shorter_ones(
    make_recipe: Callable[..., Any],
) -> None:
    recipe = make_recipe("gan_ring")
    models = recipe.train_in_parts("gan_ring", (0.25, 0.5, 1.0))
    assert [(n, model.steps) for n, model in models.items()] == [(2, 2), (4, 4), (8, 8)]
    noise = torch.randn(4, models[2].method.n_latent)
    for n_steps in (2, 4, 8):
        alone = recipe.train("gan_ring", steps=n_steps, out=f"alone-{n_steps}").method
        with torch.no_grad():
            assert torch.equal(models[n_steps].method.sample(noise), alone.sample(noise))
    again = recipe.train_in_parts("gan_ring", (0.25, 0.5, 1.0))  # read, not trained
    assert [model.steps for model in again.values()] == [2, 4, 8]
    with pytest.raises(ValueError, match="has 8 steps and was not kept at 6"):
        recipe.train_in_parts("gan_ring", (0.75, 1.0))


def test_a_recipe_knows_the_time_of_trainings_of_earlier_calls(
    make_recipe: Callable[..., Any],
) -> None:
    def call(*words: str) -> Result:
        recipe = make_recipe("gan_ring", *words)
        recipe.train_in_parts("gan_ring", (0.5, 1.0), out="one")
        recipe.train("gan_ring", out="two", seed=1)
        with pytest.raises(SystemExit):
            recipe.finish([], {}, 8)
        return Result.load(recipe.out)

    first = call()
    assert first.n_trainings == 2 and first.seconds > 0
    assert first.machine["threads"] == 1
    assert call().seconds == first.seconds  # nothing was trained
    with pytest.raises(ValueError, match="width=8, not 16"):
        call("width=16")  # another setting is not answered with what is there


def test_a_recipe_starts_in_any_folder(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "recipes" / "images" / "gan_ring.py"
    command = [sys.executable, str(script), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage: gan_ring.py" in done.stdout and "the game that can be watched" in done.stdout
