"""A GAN on faces: how good they are, how different, and whether any is copied.

    python recipes/images/gan.py DATA OUT [key=value ...]

Distances are between features of our own classifier: compare them with the floor (real images among
themselves) and with a Gaussian of pixels, and with nothing published.
"""

import torch
from recipe import begin, in_batches

from voxcycle.console import errors_in_one_sentence
from voxcycle.evaluation.stats.bounds import at_least, at_most, reported
from voxcycle.images.image_files import draw_grid
from voxcycle.images.metrics.image_quality import compare_images, draw_from_gaussian, nearest_images

PARTS = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
MAX_SHARE = 0.5  # of the distance of the Gaussian; without R1 the GAN stays above all of it
N_NEAREST = 500
N_SHOWN = 16


def main() -> None:
    recipe = begin("gan", __doc__)
    train, test = (recipe.load_images(f"avatars/{x}").images() for x in ("train", "test"))
    models = {n: m.method for n, m in recipe.train_in_parts("gan", PARTS).items()}
    features = recipe.classifier().network.features
    n_steps, gan = list(models.items())[-1]
    noise = torch.randn(len(test), gan.n_latent, generator=torch.Generator().manual_seed(1))
    samples = {n: in_batches(method.sample, noise) for n, method in models.items()}
    qualities = {n: compare_images(images, test, features) for n, images in samples.items()}
    quality, images = qualities[n_steps], samples[n_steps]
    pixels = draw_from_gaussian(train, len(test))
    gaussian = compare_images(pixels, test, features)
    collapsed = compare_images(images[:10].repeat(len(test) // 10, 1, 1, 1), test, features)
    distances, which = nearest_images(images[:N_NEAREST], train)
    of_real = nearest_images(test[:N_NEAREST], train)[0].median()

    bounds = [
        reported("domain FID, real v real", quality.floor),
        reported("domain FID, Gaussian of pixels", gaussian.fid),
        at_most("domain FID", quality.fid, MAX_SHARE * gaussian.fid),
        *(reported(f"domain FID after {n} steps", q.fid) for n, q in qualities.items()),
        reported("domain KID, Gaussian of pixels", gaussian.kid),
        reported("domain KID", quality.kid),
        reported("its standard deviation over subsets", quality.kid_std),
        reported("precision", quality.precision),
        at_least("recall", quality.recall, 0.3),
        reported("ten images repeated, domain FID", collapsed.fid),
        reported("ten images repeated, recall", collapsed.recall),
        reported("distance of a real test image to the nearest training image", of_real),
        at_least("of a generated one", distances.median(), 0.5 * of_real),
    ]  # fmt: skip
    rows = [images[:N_SHOWN] for images in samples.values()]
    draw_grid(recipe.out / "progress.png", rows, [f"{n} steps" for n in samples])
    draw_grid(
        recipe.out / "samples.png",
        [*images[:64].split(N_SHOWN), test[:N_SHOWN], pixels[:N_SHOWN]],
        ["GAN", "", "", "", "real", "Gaussian"],
    )
    nearest = [images[:N_SHOWN], train[which[:N_SHOWN]]]
    draw_grid(recipe.out / "nearest.png", nearest, ["GAN", "nearest"])
    pictures = {
        "samples.png": "Faces that the generator draws, real ones, and draws from a Gaussian "
        "with the mean and covariance of the pixels.",
        "progress.png": "The same noise over the training.",
        "nearest.png": "Generated faces above the training images that are nearest to them.",
    }
    recipe.finish(bounds, pictures, n_steps)


if __name__ == "__main__":
    with errors_in_one_sentence():
        main()
