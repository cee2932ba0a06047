"""`voxcycle lecture`: train and use the generative models of the lecture on images."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from torch import Tensor

    from voxcycle.training.lecture import Model

lecture_app = typer.Typer(
    no_args_is_help=True,
    help="Generative models of images, from the autoencoder to StyleGAN: train and use them.",
)
ModelFile = Annotated[Path, typer.Argument(help="A model.safetensors of lecture train.")]
OutFile = Annotated[Path, typer.Option("-o", "--out", help="Picture to write (PNG).")]


@lecture_app.command()
def methods() -> None:
    """List the methods."""
    from voxcycle.training.lecture_systems import SYSTEMS

    width = max(map(len, SYSTEMS))
    for name, system in SYSTEMS.items():
        typer.echo(f"{name:<{width}}  {system.about}")


@lecture_app.command()
def train(
    method: Annotated[str, typer.Argument(help="One of `voxcycle lecture methods`.")],
    settings: Annotated[list[str] | None, typer.Argument(help="Any setting as key=value.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Images: a folder, a set in .npz; for two domains trainA and trainB."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run.", show_default="runs/METHOD")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Iterations.", show_default="1500")] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file of settings; the command line wins.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    list_them: Annotated[
        bool, typer.Option("--settings", help="List the method's settings and exit.")
    ] = False,
) -> None:
    """Train a method on images.

    Example: voxcycle lecture train vae --data photos/ network=conv size=32 n_latent=32
    """
    from voxcycle.cli.train import print_settings
    from voxcycle.training.config import parse_overrides
    from voxcycle.training.lecture import settle, train_lecture
    from voxcycle.training.lecture_systems import find_system

    if list_them:
        print_settings(find_system(method).config)
        return
    given = {"data": data, "out": out, "steps": steps}
    values = {key: value for key, value in given.items() if value is not None}
    values |= parse_overrides(settings or [])
    trained = train_lecture(method, settle(method, values, config, resume), resume)
    typer.echo(f"{trained.path}  ({trained.n_steps} steps)")


@lecture_app.command()
def sample(
    model: ModelFile,
    out: OutFile = Path("samples.png"),
    n: Annotated[int, typer.Option(min=1, help="How many.")] = 64,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    label: Annotated[
        int | None,
        typer.Option(min=0, help="Class to draw, of a model with condition=FACTOR; else in turn."),
    ] = None,
) -> None:
    """Draw new images from a generative model.

    Examples: voxcycle lecture sample runs/vae/model.safetensors -o new.png

    voxcycle lecture sample runs/gan/model.safetensors --label 3
    """
    import torch

    from voxcycle.data.toy import POINT
    from voxcycle.evaluation.image_grids import draw_grid
    from voxcycle.evaluation.modes import draw_points

    loaded = _load(model, "draw new images", "sample")
    method = loaded.method
    labels = []
    if label is not None:
        n_classes = getattr(method, "n_classes", 0)
        if label >= n_classes:
            known = f"classes 0 to {n_classes - 1}" if n_classes else "no classes"
            raise ValueError(f"{model}: --label {label}, but the model has {known}")
        labels = [torch.full((n,), label)]
    noise = torch.randn(n, method.n_latent, generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        images = method.sample(noise, *labels)
    if loaded.shape == POINT:
        draw_points(out, images.flatten(1))
    else:
        draw_grid(out, list(images.split(max(1, round(n**0.5)))))
    typer.echo(out)


@lecture_app.command()
def translate(
    model: ModelFile,
    images: Annotated[Path, typer.Argument(help="An image, or a folder of them.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")] = Path(
        "translated"
    ),
    back: Annotated[
        bool, typer.Option("--back", help="From domain b to a (CycleGAN knows both ways).")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Send images through a model: to the other domain, or through an autoencoder's bottleneck.

    Of each image the largest part of the model's form in the middle is taken, a square as a rule,
    and brought to the model's size. The results are PNG files under the images' own names.

    Example: voxcycle lecture translate runs/cyclegan/model.safetensors photos/ -o out/
    """
    import torch

    from voxcycle.data.images import list_images, write_image

    loaded = _load(model, "translate images", "translate", "reconstruct")
    translates = hasattr(loaded.method, "translate")
    if back and not translates:
        raise ValueError(f"{model}: a model of the method {loaded.name} knows no way --back")
    files = [images] if images.is_file() else list_images(images, without=out)
    root = images.parent if images.is_file() else images
    targets = _name_results(files, root, out, overwrite)
    for target, file in targets.items():
        pixels = _read(file, loaded)
        with torch.inference_mode():
            if translates:
                result = loaded.method.translate(pixels, back)
            else:
                result = loaded.method.reconstruct(pixels)
        write_image(target, result[0])
        typer.echo(target)


@lecture_app.command()
def traverse(
    model: ModelFile,
    image: Annotated[
        Path | None, typer.Argument(help="Where to start.", show_default="the origin")
    ] = None,
    out: OutFile = Path("traversal.png"),
    reach: Annotated[float, typer.Option(help="How far to go, in standard deviations.")] = 2.5,
) -> None:
    """Move one latent variable at a time, the others held: a row each.

    Example: voxcycle lecture traverse runs/vae/model.safetensors face.png -o rows.png
    """
    import torch

    from voxcycle.evaluation.image_grids import draw_grid

    loaded = _load(model, "be traversed", "decode")
    method = loaded.method
    start = torch.zeros(1, method.n_latent)
    with torch.inference_mode():
        if image is not None:
            start = method.encode(_read(image, loaded))
        rows = []
        for i in range(method.n_latent):
            z = start.repeat(11, 1)
            z[:, i] = torch.linspace(-reach, reach, 11)
            rows.append(method.decode(z))
    draw_grid(out, rows, [f"z{i + 1}" for i in range(method.n_latent)])
    typer.echo(out)


def _load(path: Path, words: str, *abilities: str) -> "Model":
    """Read a model; ValueError where its method lacks every one of some abilities."""
    from voxcycle.training.lecture import load_model

    loaded = load_model(path)
    if not any(hasattr(loaded.method, ability) for ability in abilities):
        raise ValueError(f"{path}: a model of the method {loaded.name} cannot {words}")
    return loaded


def _read(image: Path, model: "Model") -> "Tensor":
    """Return an image as a batch of one (1, C, H, W) in [-1, 1], of the model's shape."""
    import torch

    from voxcycle.data.images import read_image

    n_channels, height, width = model.shape
    pixels = read_image(image, (height, width), n_channels)
    return torch.from_numpy(pixels.copy())[None] / 127.5 - 1


def _name_results(files: list[Path], root: Path, out: Path, overwrite: bool) -> dict[Path, Path]:
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
