"""Use of trained models: new images, translations, walks through latents."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from voxcycle.files import check_folder
from voxcycle.images.image_files import draw_grid, list_images, read_image, write_image
from voxcycle.images.image_set import find_value, name_values
from voxcycle.images.metrics.mode_coverage import draw_points
from voxcycle.images.systems.gan_ring import POINT
from voxcycle.images.train import Model, load_model


@torch.inference_mode()
def draw_samples(
    path: Path,
    out: Path,
    n: int = 64,
    seed: int = 0,
    label: int | str | None = None,
    truncation: float | None = None,
) -> None:
    """Draw n new images, or points, of a model file as a PNG file.

    `label` is the class of all of them, by name or number, for class-conditional models; without
    it, all classes in turn. `truncation` is StyleGAN's psi: 1 = full variety, 0 = mean style.

    Raises:
        ValueError: it is no model file, or the model cannot do that.
    """
    model = _load(path, "draw new images", "sample")
    noise = torch.randn(n, model.method.n_latent, generator=torch.Generator().manual_seed(seed))
    labels = [] if label is None else [torch.full((n,), _find_class(path, model, label))]
    if truncation is None:
        images = model.method.sample(noise, *labels)
    elif hasattr(model.method, "truncate"):
        images = model.method.sample(noise, truncation)
    else:
        raise ValueError(f"{path}: a model of the method {model.name} has no --truncation")
    if model.shape == POINT:
        draw_points(out, images.flatten(1))
    else:
        draw_grid(out, images.split(max(1, round(n**0.5))))


def translate_files(
    path: Path, images: Path, out: Path, back: bool = False, overwrite: bool = False
) -> Iterator[Path]:
    """Send images through a model: to the other domain, or through an autoencoder's bottleneck.

    The results are PNG files in `out` under the images' own names.

    Yields:
        Each result, when it is written.

    Raises:
        ValueError: it is no model file, the model cannot do that, or a file would be lost.
        NotADirectoryError: `out` is a file.
    """
    model = _load(path, "translate images", "translate", "reconstruct")
    translates = hasattr(model.method, "translate")
    if back and not translates:
        raise ValueError(f"{path}: a model of the method {model.name} cannot translate --back")
    check_folder(out)
    files = [images] if images.is_file() else list_images(images, without=out)
    root = images.parent if images.is_file() else images
    for target, file in _name_results(files, root, out, overwrite).items():
        pixels = _read(file, model)
        with torch.inference_mode():
            method = model.method
            result = method.translate(pixels, back) if translates else method.reconstruct(pixels)
        write_image(target, result[0])
        yield target


@torch.inference_mode()
def draw_walks(
    path: Path, out: Path, image: Path | None = None, reach: float = 2.5, n_rows: int = 16
) -> None:
    """Draw what each latent variable does, as a PNG file.

    Args:
        path: a model file.
        out: PNG file.
        image: where to start; None: the origin or, for a model without an encoder, the latent of
            the first image that it draws.
        reach: distance to move, in standard deviations.
        n_rows: number of latents, from the first.

    Raises:
        ValueError: it is no model file, or the model cannot do that.
    """
    model = _load(path, "be traversed", "decode", "sample")
    method = model.method
    if model.shape == POINT:
        raise ValueError(f"{path}: a model of the method {model.name} draws points, not images")
    if image is not None:
        if not hasattr(method, "encode"):
            raise ValueError(f"{path}: a model of the method {model.name} cannot encode an image")
        start = method.encode(_read(image, model))[0]
    elif hasattr(method, "encode"):
        start = torch.zeros(method.n_latent)
    else:  # it may scale all latents to one length, which the origin does not have
        start = torch.randn(1, method.n_latent, generator=torch.Generator().manual_seed(0))[0]
    rows = walk_latents(_decoder(model), start, reach, n_rows=n_rows)
    draw_grid(out, rows, [f"z{i + 1}" for i in range(len(rows))])


def walk_latents(
    decode: Callable[[Tensor], Tensor],
    start: Tensor,
    reach: float,
    n_values: int = 11,
    n_rows: int | None = None,
) -> list[Tensor]:
    """Return a row of `n_values` images for each latent, moved from -reach to reach.

    The other latents are held at `start` (n_latent,); `decode` maps latents (B, n_latent) to images
    (B, C, H, W). Rows are those of the first `n_rows` latents, or of all.
    """
    rows = []
    for i in range(len(start))[:n_rows]:
        z = start.repeat(n_values, 1)
        z[:, i] = torch.linspace(-reach, reach, n_values)
        rows.append(decode(z))
    return rows


def _decoder(model: Model) -> Callable[[Tensor], Tensor]:
    """Return the map of latents to images; classes and noise are held."""
    method = model.method
    if hasattr(method, "decode"):
        return method.decode
    if hasattr(method, "synthesize"):
        return lambda z: method.synthesize(method.map(z))
    if getattr(method, "n_classes", 0):
        return lambda z: method.sample(z, torch.zeros(len(z), dtype=torch.long))
    return method.sample


def _load(path: Path, words: str, *abilities: str) -> Model:
    """Read a model; ValueError where its method lacks every one of some abilities."""
    model = load_model(path)
    if not any(hasattr(model.method, ability) for ability in abilities):
        raise ValueError(f"{path}: a model of the method {model.name} cannot {words}")
    return model


def _find_class(path: Path, model: Model, label: int | str) -> int:
    n_classes = getattr(model.method, "n_classes", 0)
    if not n_classes:
        raise ValueError(f"{path}: --label {label}, but the model has no classes")
    try:
        names = next(iter(model.value_names.values()), ())  # of the only factor, the condition
        return find_value(label, name_values(range(n_classes), names))
    except ValueError as error:
        raise ValueError(f"{path}: --label: {error}") from None


def _read(image: Path, model: Model) -> Tensor:
    """Return an image as a batch of one (1, C, H, W) in [-1, 1], of the model's shape."""
    n_channels, height, width = model.shape
    pixels = read_image(image, (height, width), n_channels)
    return torch.from_numpy(pixels.copy())[None] / 127.5 - 1


def _name_results(
    files: Sequence[Path], root: Path, out: Path, overwrite: bool
) -> dict[Path, Path]:
    """Return the image that each result is made of; ValueError where one would be lost."""
    sources: dict[Path, Path] = {}
    for file in files:
        target = out / file.relative_to(root).with_suffix(".png")
        if target in sources:
            raise ValueError(f"{sources[target]} and {file} would both become {target}: rename one")
        if target.exists() and target.samefile(file):
            raise ValueError(f"{file} would be overwritten: name another folder with -o")
        if target.exists() and not overwrite:
            raise ValueError(f"{target} exists already: remove it, or allow it with --overwrite")
        sources[target] = file
    return sources
