"""`voxcycle lecture`: train and use the generative models of the lecture on images."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
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
    from voxcycle.training.config import load_config, parse_overrides
    from voxcycle.training.lecture import train_lecture
    from voxcycle.training.lecture_systems import find_system

    kind = find_system(method).config
    if list_them:
        print_settings(kind)
        return
    given = {"data": data, "out": out, "steps": steps}
    values = {key: value for key, value in given.items() if value is not None}
    values |= parse_overrides(settings or [])
    if config is None:
        values.setdefault("out", Path("runs") / method)
    if "data" in kind.model_fields and "data" not in values and config is None:
        raise ValueError("name the images: --data FOLDER")
    trained = train_lecture(method, load_config(kind, values, config), resume)
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

    from voxcycle.evaluation.image_grids import draw_grid

    method = _load(model, "sample", "draw new images").method
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
    n_columns = max(1, round(n**0.5))
    draw_grid(out, list(images.split(n_columns)))
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
) -> None:
    """Send images through a model: to the other domain, or through an autoencoder's bottleneck.

    Images are brought to the size of the model.

    Example: voxcycle lecture translate runs/cyclegan/model.safetensors photos/ -o out/
    """
    import torch

    from voxcycle.data.images import list_images, read_image, write_image

    from_bottleneck = not hasattr(_load_any(model).method, "translate")
    wanted = "reconstruct" if from_bottleneck else "translate"
    loaded = _load(model, wanted, "translate images")
    n_channels, size, _ = loaded.shape
    files = [images] if images.is_file() else list_images(images)
    root = images.parent if images.is_file() else images
    for file in files:
        pixels = torch.from_numpy(read_image(file, (size, size), n_channels).copy())[None] / 127.5 - 1
        with torch.inference_mode():
            if from_bottleneck:
                result = loaded.method.reconstruct(pixels)
            else:
                result = loaded.method.translate(pixels, back)
        target = out / file.relative_to(root).with_suffix(".png")
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

    from voxcycle.data.images import read_image
    from voxcycle.evaluation.image_grids import draw_grid

    loaded = _load(model, "decode", "be traversed")
    method = loaded.method
    start = torch.zeros(1, method.n_latent)
    with torch.inference_mode():
        if image is not None:
            n_channels, size, _ = loaded.shape
            pixels = torch.from_numpy(read_image(image, (size, size), n_channels).copy())[None]
            start = method.encode(pixels / 127.5 - 1)
        rows = []
        for i in range(method.n_latent):
            z = start.repeat(11, 1)
            z[:, i] = torch.linspace(-reach, reach, 11)
            rows.append(method.decode(z))
    draw_grid(out, rows, [f"z{i + 1}" for i in range(method.n_latent)])
    typer.echo(out)


def _load_any(path: Path) -> "Model":
    from voxcycle.training.lecture import load_model

    return load_model(path)


def _load(path: Path, ability: str, words: str) -> "Model":
    """Read a model; ValueError where its method lacks an ability."""
    loaded = _load_any(path)
    if not hasattr(loaded.method, ability):
        raise ValueError(f"{path}: a model of the method {loaded.name} cannot {words}")
    return loaded
