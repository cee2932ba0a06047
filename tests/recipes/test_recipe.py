import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from voxcycle.evaluation.stats.bounds import Result
from voxcycle.images.image_set import ImageSet
from voxcycle.images.train import MODEL_FILE


def test_recipes_share_one_classifier_whatever_their_own_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(16, 1, 8, 8)).astype(np.uint8)
    labels = np.stack([np.arange(16) % 3, np.arange(16) % 2], 1)
    ImageSet(pixels, labels, ("shape", "shade")).save(tmp_path / "toys" / "train.npz")
    (tmp_path / "classifier.yaml").write_text(
        "data: avatars/train.npz\nwidth: 4\nbatch_size: 8\nsteps: 2\nthreads: 1\n"
    )
    import recipe

    monkeypatch.setattr(recipe, "SETTINGS", tmp_path)
    first = recipe.Recipe(
        name="gan", data=tmp_path, out=tmp_path / "out" / "gan", words=("steps=9",), started=0.0
    ).classifier("toys")
    path = tmp_path / "out" / "classifier" / "toys" / MODEL_FILE
    written = path.stat().st_mtime_ns
    second = recipe.Recipe(
        name="other", data=tmp_path, out=tmp_path / "out" / "other", words=(), started=0.0
    ).classifier("toys")
    assert path.stat().st_mtime_ns == written  # not trained again
    images = torch.from_numpy(pixels / 127.5 - 1).float()
    assert [len(row) for row in first.network(images)[0]] == [3] * 16  # values of the first factor
    torch.testing.assert_close(first.network.features(images), second.network.features(images))
    assert not first.training


def test_the_parts_of_a_training_are_those_of_shorter_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gan_ring.yaml").write_text("width: 8\nbatch_size: 8\nsteps: 8\nthreads: 1\n")
    import recipe

    monkeypatch.setattr(recipe, "SETTINGS", tmp_path)
    begun = recipe.Recipe(
        name="gan_ring", data=tmp_path, out=tmp_path / "out", words=(), started=0.0
    )
    models = begun.train_in_parts("gan_ring", (0.25, 0.5, 1.0))
    assert [(n, model.steps) for n, model in models.items()] == [(2, 2), (4, 4), (8, 8)]
    noise = torch.randn(4, models[2].method.n_latent)
    for n_steps in (2, 4, 8):
        alone = begun.train("gan_ring", steps=n_steps, out=f"alone-{n_steps}").method
        with torch.no_grad():
            torch.testing.assert_close(
                models[n_steps].method.sample(noise), alone.sample(noise), rtol=0, atol=0
            )
    again = begun.train_in_parts("gan_ring", (0.25, 0.5, 1.0))  # read, not trained
    assert [model.steps for model in again.values()] == [2, 4, 8]
    with pytest.raises(ValueError, match="has 8 steps and was not kept at 6"):
        begun.train_in_parts("gan_ring", (0.75, 1.0))


def test_a_recipe_knows_the_time_of_trainings_of_earlier_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import recipe

    (tmp_path / "gan_ring.yaml").write_text("width: 8\nbatch_size: 8\nsteps: 4\nthreads: 1\n")
    monkeypatch.setattr(recipe, "SETTINGS", tmp_path)

    def call(*words: str) -> Result:
        begun = recipe.Recipe(
            name="gan_ring",
            data=tmp_path,
            out=tmp_path / "out",
            words=words,
            started=time.monotonic(),
        )
        begun.train_in_parts("gan_ring", (0.5, 1.0), out="one")
        begun.train("gan_ring", out="two", seed=1)
        with pytest.raises(SystemExit):
            begun.finish([], {}, 4)
        return Result.load(tmp_path / "out")

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
