import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from voxcycle.cli import main
from voxcycle.images.image_files import read_image, write_image
from voxcycle.images.systems import SYSTEMS
from voxcycle.images.train import load_model

SMALL = ["width=4", "batch_size=6", "threads=1"]
CONV = ["network=conv", "n_latent=3", "size=8"]
Run = Callable[..., tuple[int, str, str]]
Train = Callable[..., Path]


@pytest.fixture
def run(run_cli):
    """Run `voxcycle images ...`; returns (exit code, stdout, stderr)."""

    def run_images(*arguments):
        code, out, err = run_cli("images", *arguments)
        return code, out.decode(), err

    return run_images


@pytest.fixture
def train(run):
    """Train a small model and return its file."""

    def train_small(method, out, *words, steps=1):
        path = out / "model.safetensors"
        done = run("train", method, *SMALL, *words, "--out", out, "--steps", steps)
        assert done[:2] == (0, f"{path}  ({steps} steps)\n")
        return path

    return train_small


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Twelve pictures of 20 x 10 pixels in a folder and its subfolder."""
    folder = tmp_path_factory.mktemp("my phötos")
    rng = np.random.default_rng(0)
    for i in range(12):
        image = torch.from_numpy(rng.uniform(-1, 1, (3, 10, 20)).astype(np.float32))
        write_image(folder / ("far" if i % 2 else ".") / f"{i}.png", image)
    return folder


@pytest.fixture(scope="module")
def model(photos, tmp_path_factory):
    """A VAE of two steps."""
    out = tmp_path_factory.mktemp("run")
    with pytest.raises(SystemExit) as caught:
        main(["images", "train", "vae", *SMALL, *CONV, "--data", str(photos), "--out", str(out),
              "--steps", "2"])  # fmt: skip
    assert not caught.value.code
    return out / "model.safetensors"


def test_methods_are_listed(run):
    code, out, err = run("methods")
    assert (code, err) == (0, "")
    for name, system in SYSTEMS.items():
        assert name.isidentifier()  # underscores, as in the names of the files
        assert any(line.split()[0] == name and system.about in line for line in out.splitlines())


@pytest.mark.parametrize("method", list(SYSTEMS))
def test_settings_are_listed_with_their_meaning(run, method):
    code, out, _ = run("train", method, "--settings")
    assert code == 0
    keys = {line.split()[0] for line in out.splitlines() if line and not line.startswith(" ")}
    fields = set(SYSTEMS[method].model_fields) - {"method"}
    averages_nothing = ("autoencoder", "vae", "debiasing_vae", "classifier")
    known = fields - {"ema_decay"} if method in averages_nothing else fields
    assert keys & (fields | {"ema_decay"}) == known
    assert all(field.description for field in SYSTEMS[method].model_fields.values())


def test_train_goes_on_and_says_where_the_model_is(train, photos, tmp_path):
    words = (*CONV, "--data", photos)
    path = train("autoencoder", tmp_path, *words)
    assert train("autoencoder", tmp_path, *words, "--resume", steps=3) == path
    loaded = load_model(path)
    assert (loaded.name, loaded.shape, loaded.steps) == ("autoencoder", (3, 8, 8), 3)


def test_a_file_of_settings_alone_and_overridden(run, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [word.replace("=", ": ") for word in (*SMALL, *CONV, "beta=3.0")]
    Path("no data.yaml").write_text("\n".join(lines))
    code, _, err = run("train", "vae", "--config", "no data.yaml", "--out", "other")
    assert (code, err) == (2, "error: name the images: --data FOLDER\n")
    Path("settings.yaml").write_text("\n".join([*lines, f"data: {photos}", "steps: 1"]))
    code, out, _ = run("train", "vae", "--config", "settings.yaml")
    assert (code, out) == (0, f"{Path('runs/vae/model.safetensors')}  (1 steps)\n")
    Path("more.yaml").write_text("\n".join([*lines, f"data: {photos}", "out: run", "steps: 9"]))
    code, out, _ = run("train", "vae", "--config", "more.yaml", "--steps", 1, "n_latent=2")
    assert (code, out) == (0, f"{Path('run/model.safetensors')}  (1 steps)\n")
    method = load_model(Path("run/model.safetensors")).method
    assert (method.n_latent, method.beta) == (2, 3.0)


def test_a_run_that_goes_on_knows_its_images_and_settings(
    run, train, photos, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    code, _, err = run("train", "vae", "--resume")
    assert (code, err) == (2, "error: runs/vae: no checkpoint to resume; start without --resume\n")
    whole = train("vae", Path("through"), *CONV, "--data", photos, steps=3)
    parts = train("vae", Path("parts"), *CONV, "--data", photos)
    code, printed, _ = run("train", "vae", "--out", "parts", "--steps", 3, "--resume")
    assert (code, printed) == (0, f"{parts}  (3 steps)\n")
    assert whole.read_bytes() == parts.read_bytes()
    code, _, err = run("train", "vae", "--out", "parts", "n_latent=5", "--resume")
    assert code == 2 and "started with n_latent=3, not 5" in err


def test_points_are_drawn_as_points(run, train, tmp_path):
    model = train("gan_ring", tmp_path)
    few, many = tmp_path / "few.png", tmp_path / "many.png"
    for path, n in ((few, 1), (many, 400)):
        assert run("sample", model, "-o", path, "--n", n)[:2] == (0, f"{path}\n")
    inks = [int((read_image(path) < 128).all(0).sum()) for path in (few, many)]
    assert inks[1] > inks[0] + 100  # pixels


def test_samples_follow_the_seed(run, model, tmp_path):
    paths = [tmp_path / name for name in ("a.png", "again.png", "b.png")]
    for path, seed in zip(paths, (0, 0, 1), strict=True):
        code, out, _ = run("sample", model, "-o", path, "--n", 9, "--seed", seed)
        assert (code, out) == (0, f"{path}\n")
    first, again, other = (path.read_bytes() for path in paths)
    assert first == again != other


def read(path, size=None):
    """Return an image as a batch of one, in [-1, 1]."""
    pixels = read_image(path, None if size is None else (size, size))
    return torch.from_numpy(pixels.copy())[None] / 127.5 - 1


def test_translate_sends_images_through_the_bottleneck(run, model, photos, tmp_path):
    code, out, _ = run("translate", model, photos, "-o", tmp_path)
    assert code == 0 and len(out.splitlines()) == 12
    source, target = photos / "far" / "1.png", tmp_path / "far" / "1.png"
    expected = load_model(model).method.reconstruct(read(source, 8))
    assert (read(target) - expected).abs().max().item() <= 1.01 / 255  # half a step of 2 / 255
    assert run("translate", model, source, "-o", tmp_path / "one")[0] == 0
    assert (tmp_path / "one" / "1.png").read_bytes() == target.read_bytes()


def test_translate_gives_a_wide_model_wide_pictures(run, train, photos, tmp_path):
    model = train("autoencoder", tmp_path / "run", "--data", photos)
    tall = torch.zeros(3, 40, 20)
    tall[:, 15:25] = 1  # what is 20 x 10 in its middle
    write_image(tmp_path / "tall.png", tall)
    write_image(tmp_path / "plain.png", torch.ones(3, 10, 20))
    for name in ("tall", "plain"):
        assert run("translate", model, tmp_path / f"{name}.png", "-o", tmp_path / "out")[0] == 0
    found, expected = (read_image(tmp_path / "out" / f"{x}.png") for x in ("tall", "plain"))
    assert found.shape == (3, 10, 20)
    np.testing.assert_array_equal(found, expected)


def test_no_result_takes_the_place_of_another(run, model, tmp_path):
    folder = tmp_path / "photos"
    for name in ("a.png", "a.jpg"):
        write_image(folder / name, torch.zeros(3, 8, 8))
    code, out, err = run("translate", model, folder, "-o", tmp_path / "out")
    assert (code, out) == (2, "") and not (tmp_path / "out").exists()
    both = f"{folder / 'a.jpg'} and {folder / 'a.png'} would both become"
    assert err == f"error: {both} {tmp_path / 'out' / 'a.png'}: rename one\n"
    before = (folder / "a.png").read_bytes()
    code, _, err = run("translate", model, folder / "a.png", "-o", folder)
    assert code == 2 and (folder / "a.png").read_bytes() == before
    assert err == f"error: {folder / 'a.png'} would be overwritten: name another folder with -o\n"


def test_results_are_kept_and_never_sources(run, model, photos, tmp_path):
    photos = shutil.copytree(photos, tmp_path / "photos")
    out = photos / "out"
    assert len(run("translate", model, photos, "-o", out)[1].splitlines()) == 12
    code, _, err = run("translate", model, photos, "-o", out)
    assert code == 2 and "exists already" in err and "--overwrite" in err
    code, said, _ = run("translate", model, photos, "-o", out, "--overwrite")
    assert code == 0 and len(said.splitlines()) == 12  # not 24


def test_translate_goes_back_with_the_other_generator(run, train, photos, tmp_path):
    for side in "AB":
        shutil.copytree(photos, tmp_path / "domains" / f"train{side}")
    words = ("n_blocks=1", "discriminator_widths=[4, 4]", "size=8", "--data", tmp_path / "domains")
    model, source = train("cyclegan", tmp_path / "run", *words), photos / "0.png"
    translate = load_model(model).method.translate
    there, back = (translate(read(source, 8), is_back).clamp(-1, 1) for is_back in (False, True))
    assert (there - back).abs().max().item() > 0.1
    for words, expected in (((), there), (("--back",), back)):
        folder = tmp_path / f"out{len(words)}"
        assert run("translate", model, source, "-o", folder, *words)[0] == 0
        assert (read(folder / "0.png") - expected).abs().max().item() <= 1.01 / 255


def test_traverse_draws_a_row_for_each_latent(run, model, photos, tmp_path):
    origin, there = tmp_path / "origin.png", tmp_path / "there.png"
    assert run("traverse", model, "-o", origin)[0] == 0
    assert run("traverse", model, photos / "0.png", "-o", there, "--reach", 1)[0] == 0
    height, width = read_image(origin).shape[1:]
    assert height == pytest.approx(3 * (8 + 2) * 2, abs=4)  # three latents, two pixels a pixel
    assert width >= 11 * (8 + 2) * 2
    assert origin.read_bytes() != there.read_bytes()
    assert run("traverse", model, "-o", there, "--rows", 2)[0] == 0
    assert read_image(there).shape[1] == pytest.approx(2 * (8 + 2) * 2, abs=4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "gpt"], "no method 'gpt' in the lecture: there are autoencoder, vae"),
        (["train", "vae"], "name the images: --data FOLDER"),
        (["train", "vae", "--data", "nowhere"], "nowhere: no such folder of images"),
        (["train", "vae", "n_laten=3", "--data", "x"], "unknown key n_laten; did you mean"),
        (["train", "vae", "beta=-1", "--data", "x"], "beta: -1 is too small; give 0 or more"),
        (["train", "vae", "beta", "--data", "x"], "'beta': settings are written key=value"),
        (["train", "vae", "seed=-1", "--data", "x"], "seed: -1 is too small; give 0 or more"),
        (["train", "vae", "--data", "x", "--out", "FILE"], "FILE: expected a folder, found a file"),
        (["train", "vae", "--data", "x", "--out", "FILE/a"], "FILE: expected a folder"),
        *((["train", method, "ema_decay=0.9", "--data", "x"],
           "error: ema_decay: this method averages no network; remove this setting")
          for method in ("autoencoder", "vae", "debiasing_vae", "classifier")),
        *((["train", method, f"batch_size={n}", "--data", "x"],
           f"error: batch_size: {n} is not a multiple of 4; give one")
          for method in ("progressive_gan", "stylegan") for n in (3, 18)),
        *((["train", method, "discriminator_widths=[4,4,4,4,4,4,4]", "size=32", "batch_size=1",
           "--data", "DOMAINS"],
           "discriminator_widths: 6 halvings of 32 x 32 pixels leave none; at most 6 widths")
          for method in ("pix2pix", "cyclegan")),
        (["sample", "MODEL", "-o", "FOLDER"], "FOLDER: expected a file, found a folder"),
        (["sample", "MODEL", "-o", "FILE/a.png"], "FILE: expected a folder, found a file"),
        (["translate", "MODEL", "DOMAINS", "-o", "FILE"], "FILE: expected a folder, found a file"),
        (["sample", "MODEL", "--label", "cats"], "--label cats, but the model has no classes"),
        (["sample", "MODEL", "--truncation", "0.7"], "method vae has no --truncation"),
        (["sample", "no.safetensors"], "no.safetensors: no such file"),
        (["translate", "MODEL", "DOMAINS", "-o", "out", "--back"],
         "model.safetensors: a model of the method vae cannot translate --back\n"),
        (["translate", "MODEL", "nowhere"], "nowhere: no images"),
        (["traverse", "MODEL", "nothing.png"], "nothing.png: not an image that can be read"),
    ],
)  # fmt: skip
def test_errors_are_one_sentence_and_two(run, model, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    Path("FOLDER").mkdir()
    Path("FILE").write_text("a file")
    for domain in ("trainA", "trainB"):
        write_image(Path("DOMAINS", domain, "a.png"), torch.zeros(3, 32, 32))
    code, out, err = run(*(str(model) if word == "MODEL" else word for word in arguments))
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1
    assert words in err and "Traceback" not in err
    assert not Path("out").exists()


def test_a_model_is_asked_for_what_it_can(run, train, photos, tmp_path):
    path = train("classifier", tmp_path, "size=8", "--data", photos)
    code, _, err = run("sample", path)
    assert code == 2
    assert err == f"error: {path}: a model of the method classifier cannot draw new images\n"
    assert run("translate", path, photos)[2].endswith("classifier cannot translate images\n")


def test_a_model_knows_the_names_of_its_classes(run, train, photos, tmp_path):
    path = train("gan", tmp_path / "run", "size=8", "condition=class", "--data", photos)
    pictures = []
    for label in ("far", "1", "0"):  # the subfolder, and the folder itself, which is called .
        assert run("sample", path, "-o", tmp_path / "a.png", "--n", 2, "--label", label)[0] == 0
        pictures.append((tmp_path / "a.png").read_bytes())
    assert pictures[0] == pictures[1] != pictures[2]
    code, _, err = run("sample", path, "--label", "near")
    assert (code, err) == (2, f"error: {path}: --label: no 'near': there are ., far\n")
