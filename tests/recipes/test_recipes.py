"""Every recipe of the lecture runs on noise, and bounds refuse what they should."""

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from voxcycle.evaluation.stats.bounds import Result
from voxcycle.images.image_set import ImageSet, load_images
from voxcycle.images.shapes import draw_shapes
from voxcycle.images.systems.classifier import ClassifierConfig
from voxcycle.images.train import MODEL_FILE, train_system

RECIPES = Path(__file__).parents[2] / "recipes" / "images"
FACTORS = ("skin", "accessory", "hair", "hair colour", "clothes colour")
Run = Callable[..., Result]  # see `run_recipe`
TINY = ("width=4", "batch_size=8", "threads=1")
TRANSLATION = ("steps=2", "width=2", "discriminator_widths=[2, 2]", "threads=1")
GROWING = ("threads=1", "batch_size=4", "width=2", "max_width=4", "steps=9")


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path_factory):
    """Let recipes import what lies beside them, as a script does, from any folder."""
    monkeypatch.syspath_prepend(str(RECIPES))
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))


@pytest.fixture
def run_recipe(monkeypatch):
    """Run a recipe on DATA and OUT with settings, some of its globals replaced.

    Returns its result, whose pictures are there. The exit code must say whether bounds fail, as
    those of networks that learned nothing do.
    """

    def run(name, data, out, *settings, **replaced):
        recipe = importlib.import_module(name)
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as ended:
            patch.setattr(sys, "argv", [f"{name}.py", str(data), str(out), *settings])
            for key, value in replaced.items():
                patch.setattr(recipe, key, value)
            recipe.main()
        assert isinstance(ended.value.code, int), ended.value.code
        result = Result.load(out / name)
        assert ended.value.code == (0 if all(bound.holds for bound in result.bounds) else 1)
        assert result.system == name and result.machine
        assert result.command.endswith(" ".join(["DATA OUT", *settings]))
        assert {path.name for path in (out / name).glob("*.png")} == set(result.pictures) != set()
        for picture in result.pictures:
            assert (out / name / picture).read_bytes().startswith(b"\x89PNG")
        return result

    return run


def train_classifier(data, out, steps=2):
    """Briefly train a classifier of the set at a path, which a recipe with this OUT uses."""
    config = ClassifierConfig(
        data=data, out=out / "classifier" / data.parent.name, steps=steps, width=4,
        batch_size=8, threads=1,
    )  # fmt: skip
    train_system("classifier", config)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The sets of egs/images/prepare.py, few images of noise, and classifiers in `out`."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)

    def save(name, shape, labels, *factors):
        pixels = rng.integers(256, size=(len(labels), *shape), dtype=np.uint8)
        ImageSet(pixels, labels.reshape(-1, len(factors)), factors).save(root / name)

    groups = np.array([[1, 0]] * 30 + [[1, 1]] * 3 + [[0, 0]] * 30)
    for split, n in (("train", 60), ("test", 40)):
        # the VAE's recipe measures a bound of 1,000 test images
        classes = np.arange(1_000 if split == "test" else 100) % 10
        save(f"fashion/{split}.npz", (1, 28, 28), classes, "class")
        save(f"biased/{split}.npz", (3, 32, 32), groups, "face", "dark")
        labels = rng.integers(3, size=(n, len(FACTORS)))
        save(f"avatars/{split}.npz", (3, 32, 32), labels, *FACTORS)
        for name in ("edges", "skin", "sunglasses", "flags"):
            for value, side in enumerate("AB"):
                labels = rng.integers(3, size=(16, len(FACTORS)))
                labels[:, :2] = value
                save(f"{name}/{split}{side}.npz", (3, 32, 32), labels, *FACTORS)
    save("digits/all.npz", (1, 28, 28), np.arange(40) % 10, "class")
    draw_shapes().subset(np.arange(0, 3072, 7)).save(root / "shapes" / "train.npz")
    for name in ("avatars", "fashion"):
        train_classifier(root / name / "train.npz", root / "out")
    return root


@pytest.mark.parametrize(
    ("name", "n_bounds", "settings"),
    [
        ("autoencoder", 10, ("steps=2", *TINY)),
        ("vae", 15, ("steps=2", *TINY)),
        ("beta_vae", 13, ("steps=2", *TINY)),
        ("debiasing_vae", 15, ("steps=2", *TINY)),
        ("outliers", 17, ("steps=2", *TINY)),
        ("gan_ring", 17, ("steps=20", *TINY)),  # five different parts of the way
        ("gan", 17, ("steps=20", "n_latent=4", *TINY)),
        ("conditional_gan", 19, ("steps=2", "n_latent=4", *TINY)),
        ("pix2pix", 13, TRANSLATION),
        ("cyclegan", 14, TRANSLATION),
        ("cyclegan_sunglasses", 8, TRANSLATION),
        ("cyclegan_flags", 8, TRANSLATION),
    ],
)
def test_a_recipe_measures_draws_and_says_whether_its_bounds_hold(
    name, n_bounds, settings, data, run_recipe
):
    result = run_recipe(name, data, data / "out", *settings)
    assert (f"steps={result.n_steps}", len(result.bounds)) == (settings[0], n_bounds)
    if settings is TRANSLATION:
        assert list(result.pictures) == ["rows.png" if name == "pix2pix" else "ways.png"]
    else:  # domains of noise agree nowhere, so no change outside can be measured
        assert all(np.isfinite(bound.value) for bound in result.bounds)
    held = [bound for bound in result.bounds if bound.bound is not None]
    assert not held or not all(bound.holds for bound in held)  # few steps do not reach every bound


def test_stylegan_is_held_against_what_the_growing_one_left(data, run_recipe):
    with pytest.raises(AssertionError, match="progressive_gan.py first"):
        run_recipe("stylegan", data, data / "out", *GROWING)

    growing = ("progressive_gan", data, data / "out", *GROWING, "fade_steps=1", "stable_steps=1")
    first, again = ({b.name: b.value for b in run_recipe(*growing).bounds} for _ in range(2))
    assert first == again  # what is trained already is used
    assert first["stage of 32 x 32"] == pytest.approx(first["growing, seed 0"])
    assert first["test images brought to 32 x 32"] == pytest.approx(0, abs=1e-6)

    result = run_recipe("stylegan", data, data / "out", *GROWING)
    second = {bound.name: bound for bound in result.bounds}
    assert second["Progressive GAN"].value > 0
    assert second["StyleGAN"].bound == pytest.approx(1.1 * second["Progressive GAN"].value)


@pytest.fixture
def make_recipe(tmp_path, monkeypatch):
    """Make recipes with settings of the test's own: of a ring of 8 steps, and of a classifier."""
    import recipe

    small = "batch_size: 8\nthreads: 1\n"
    (tmp_path / "gan_ring.yaml").write_text(f"width: 8\nsteps: 8\n{small}")
    (tmp_path / "classifier.yaml").write_text(
        f"data: avatars/train.npz\nwidth: 4\nsteps: 2\n{small}"
    )
    monkeypatch.setattr(recipe, "SETTINGS", tmp_path)
    return lambda name, *words: recipe.Recipe(name, tmp_path, tmp_path / "out" / name, words)


def test_recipes_share_one_classifier_whatever_their_own_settings(make_recipe, tmp_path):
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


def test_the_parts_of_a_training_are_those_of_shorter_ones(make_recipe):
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


def test_a_recipe_knows_the_time_of_trainings_of_earlier_calls(make_recipe):
    def call(*words):
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


def test_a_recipe_starts_in_any_folder(tmp_path):
    command = [sys.executable, str(RECIPES / "gan_ring.py"), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage: gan_ring.py" in done.stdout and "the game that can be watched" in done.stdout


def test_a_recipe_says_in_one_line_what_is_wrong_with_its_input(tmp_path):
    words = [tmp_path / "run", tmp_path / "nobody"]
    command = [sys.executable, str(RECIPES.parent / "train_vocoder.py"), *map(str, words)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert "nobody" in done.stderr and not words[0].exists()


def make_blobs(n, seed):
    """Return blobs of two sizes and three colours, anywhere on black."""
    rng = np.random.default_rng(seed)
    labels = rng.integers([2, 3], size=(n, 2))
    places = rng.uniform(4, 12, size=(n, 2, 1, 1))
    size = 6.0 + 8 * labels[:, 0]
    distances = ((np.mgrid[:16, :16] - places) ** 2).sum(1) / size[:, None, None]
    colours = (0.3 + 0.7 * np.eye(3))[labels[:, 1]]
    pixels = 255 * colours[:, :, None, None] * np.exp(-distances)[:, None]
    return ImageSet(pixels.astype(np.uint8), labels, ("size", "colour"))


def failed(result):
    return {bound.name for bound in result.bounds if not bound.holds}


@pytest.mark.slow
def test_an_autoencoder_is_better_than_components_and_an_untrained_one_is_not(tmp_path, run_recipe):
    """Six numbers and bent ways between them: components need many."""
    for split, n in (("train", 1_000), ("test", 200)):
        make_blobs(n, n).save(tmp_path / "fashion" / f"{split}.npz")

    def run(steps):
        settings = (f"steps={steps}", "width=100", "batch_size=50", "threads=1")
        out = tmp_path / f"out{steps}"
        return run_recipe("autoencoder", tmp_path, out, *settings, WIDTHS=(4, 8), SHOWN=4)

    assert not failed(run(1_500))
    assert failed(run(1)) == {"MSE, code of 4", "MSE, code of 8"}


@pytest.mark.slow
def test_ten_images_repeated_are_refused_and_real_ones_are_not(tmp_path, run_recipe):
    """What the generator draws is replaced; its few steps do not count."""
    train = tmp_path / "avatars" / "train.npz"
    make_blobs(1_000, 0).save(train)
    make_blobs(400, 1).save(tmp_path / "avatars" / "test.npz")
    train_classifier(train, tmp_path, steps=400)
    held_out = make_blobs(400, 2).images()

    def run(images):
        settings = ("steps=20", "n_latent=4", *TINY)
        return run_recipe("gan", tmp_path, tmp_path, *settings, in_batches=lambda *_: images)

    assert not failed(run(held_out))
    assert failed(run(held_out[:10].repeat(40, 1, 1, 1))) == {"domain FID", "recall"}
    assert failed(run(load_images(train).images(slice(400)))) == {"of a generated one"}  # copied


def save_outlines(folder, split, n, shift):
    """Save outlines and discs, whose stripes no outline shows; a shift gives others' outlines."""
    rng = np.random.default_rng(n)
    y, x = np.mgrid[:16, :16]
    a, b = np.full((n, 3, 16, 16), 255, np.uint8), np.empty((n, 3, 16, 16), np.uint8)
    b[:] = np.array([200, 200, 90])[:, None, None]
    for outline, disc in zip(a, b, strict=True):
        top, left = rng.integers(3, 13, 2)
        radius = rng.integers(2, 5)
        distance = np.hypot(y - top, x - left)
        outline[:, abs(distance - radius) < 0.7] = 0
        stripes = 70 * ((x + y + rng.integers(2)) % 2)
        is_in = distance < radius + 0.3
        disc[:, is_in] = np.array([30, 30, 160])[:, None] + stripes[is_in]
    for side, pixels in (("A", np.roll(a, shift, 0)), ("B", b)):
        ImageSet(pixels, np.zeros((n, 0), np.int64), ()).save(folder / f"{split}{side}.npz")


@pytest.mark.slow
def test_pix2pix_with_others_inputs_or_without_a_discriminator_is_refused(tmp_path, run_recipe):
    def run(name, shift, *words):
        folder = tmp_path / name
        for split, n, shifted in (("train", 400, shift), ("test", 100, 0)):
            save_outlines(folder / "edges", split, n, shifted)
        words = ("steps=500", "width=8", "discriminator_widths=[16, 32]", "batch_size=8",
                 "lr=0.001", "ema_decay=0.98", "threads=1", *words)  # fmt: skip
        return run_recipe("pix2pix", folder, folder / "out", *words)

    assert failed(run("pairs", 0)) == set()
    assert failed(run("others", 1)) >= {
        "L1 to the truth",
        "SSIM with the truth",
        "L1 with the input of another face, over that with its own",
    }
    assert failed(run("alone", 0, "adversarial=0")) == {"the same with the discriminator"}
