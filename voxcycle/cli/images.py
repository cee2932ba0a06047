"""`voxcycle images`: train and use the generative models of the lecture on images."""

from pathlib import Path
from typing import Annotated

import typer

images_app = typer.Typer(
    no_args_is_help=True,
    help="Generative models of images, from the autoencoder to StyleGAN: train and use them.",
)
ModelFile = Annotated[Path, typer.Argument(help="Model file of `voxcycle images train`.")]
OutFile = Annotated[Path, typer.Option("-o", "--out", help="Picture to write (PNG).")]


@images_app.command()
def methods() -> None:
    """List the methods."""
    from voxcycle.images.systems import SYSTEMS

    width = max(map(len, SYSTEMS))
    for name, system in SYSTEMS.items():
        typer.echo(f"{name:<{width}}  {system.about}")


@images_app.command()
def train(
    method: Annotated[str, typer.Argument(help="One of `voxcycle images methods`.")],
    settings: Annotated[list[str] | None, typer.Argument(help="Settings as key=value.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="A folder of images or a set in .npz; for two domains with trainA and trainB."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run.", show_default="runs/METHOD")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Iterations.", show_default="1500")] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file of settings; the command line overrides it.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out.")] = False,
    list_them: Annotated[
        bool, typer.Option("--settings", help="List the method's settings and exit.")
    ] = False,
) -> None:
    """Train a method on images.

    Example: voxcycle images train vae --data photos/ network=conv size=32 n_latent=32
    """
    from voxcycle.cli.train import print_settings
    from voxcycle.images.systems import find_system
    from voxcycle.images.train import resolve_config, train_system
    from voxcycle.training.config import parse_overrides

    if list_them:
        print_settings(find_system(method))
        return
    given = {"data": data, "out": out, "steps": steps}
    values = {key: value for key, value in given.items() if value is not None}
    values |= parse_overrides(settings or [])
    trained = train_system(method, resolve_config(method, values, config, resume), resume)
    typer.echo(f"{trained.path}  ({trained.n_steps} steps)")


@images_app.command()
def sample(
    model: ModelFile,
    out: OutFile = Path("samples.png"),
    n: Annotated[int, typer.Option(min=1, help="Number of images.")] = 64,
    seed: Annotated[int, typer.Option(help="Seed of the random draw.")] = 0,
    label: Annotated[
        str | None,
        typer.Option(
            help="Class to draw, by name or number, for models with condition=FACTOR; "
            "default: all in turn."
        ),
    ] = None,
    truncation: Annotated[
        float | None,
        typer.Option(min=0, help="StyleGAN only: 1 = full variety, 0 = mean style.", metavar="PSI"),
    ] = None,
) -> None:
    """Draw new images from a generative model.

    Examples: voxcycle images sample runs/vae/model.safetensors -o new.png

    voxcycle images sample runs/gan/model.safetensors --label cats
    """
    from voxcycle.images.sample import draw_samples

    draw_samples(model, out, n, seed, label=label, truncation=truncation)
    typer.echo(out)


@images_app.command()
def translate(
    model: ModelFile,
    images: Annotated[Path, typer.Argument(help="An image, or a folder of them.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")] = Path(
        "translated"
    ),
    back: Annotated[
        bool, typer.Option("--back", help="From domain b to a (CycleGAN only).")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Send images through a model: to the other domain, or through an autoencoder's bottleneck.

    The largest centred part with the aspect ratio of the model (usually a square) is cut from each
    image and scaled. Results are PNG files with the names of the inputs.

    Example: voxcycle images translate runs/cyclegan/model.safetensors photos/ -o out/
    """
    from voxcycle.images.sample import translate_files

    for target in translate_files(model, images, out, back=back, overwrite=overwrite):
        typer.echo(target)


@images_app.command()
def traverse(
    model: ModelFile,
    image: Annotated[
        Path | None,
        typer.Argument(help="Image to start from.", show_default="the origin; a GAN's own image"),
    ] = None,
    out: OutFile = Path("traversal.png"),
    reach: Annotated[float, typer.Option(help="Distance to move, in standard deviations.")] = 2.5,
    rows: Annotated[int, typer.Option(min=1, help="Number of latents, from the first.")] = 16,
) -> None:
    """Draw one row per latent, varying it while the others stay fixed.

    Example: voxcycle images traverse runs/vae/model.safetensors face.png -o rows.png
    """
    from voxcycle.images.sample import draw_walks

    draw_walks(model, out, image, reach, n_rows=rows)
    typer.echo(out)
