"""A class-conditional GAN: clothes of ten classes.

    python recipes/images/conditional_gan.py DATA OUT [key=value ...]

The classifier learned real clothes; it names the true class for the share of the test images
that is printed first.
"""

import torch
from recipe import begin, in_batches

from voxcycle.console import errors_in_one_sentence
from voxcycle.evaluation.stats.bounds import at_least, reported
from voxcycle.images.image_files import draw_grid
from voxcycle.images.metrics.image_quality import compare_images

CLASSES = ("T-shirt", "trouser", "pullover", "dress", "coat",
           "sandal", "shirt", "sneaker", "bag", "boot")  # fmt: skip
N_EACH = 200
N_SHOWN = 14


@torch.no_grad()
def main() -> None:
    recipe = begin("conditional_gan", __doc__)
    test_set = recipe.load_images("fashion/test")
    test, classes = test_set.images(), torch.from_numpy(test_set.factor("class"))
    trained = recipe.train("gan")
    classifier = recipe.classifier("fashion")
    gan = trained.method
    labels = torch.arange(len(CLASSES)).repeat_interleave(N_EACH)
    noise = torch.randn(len(labels), gan.n_latent, generator=torch.Generator().manual_seed(1))
    images = in_batches(gan.sample, noise, labels)
    real = in_batches(classifier.predict, test)[:, 0] == classes
    called = in_batches(classifier.predict, images)[:, 0]
    right, others = called == labels, called == labels.roll(N_EACH)
    quality = compare_images(images, test[: len(images)], classifier.network.features)

    bounds = [
        reported("real test images called right", real.float().mean()),
        at_least("generated images called what was wanted", right.float().mean(), 0.8),
        reported("called the next class, as if labels were ignored", others.float().mean()),
        *(reported(f"of {name}", share.mean())
          for name, share in zip(CLASSES, right.float().split(N_EACH), strict=True)),
        reported("domain FID, real v real", quality.floor),
        reported("domain FID", quality.fid),
        reported("domain KID", quality.kid),
        reported("its standard deviation over subsets", quality.kid_std),
        reported("precision", quality.precision),
        at_least("recall", quality.recall, 0.3),
    ]  # fmt: skip
    rows = [images[i * N_EACH :][:N_SHOWN] for i in range(len(CLASSES))]
    draw_grid(recipe.out / "classes.png", rows, CLASSES)
    same = noise[:N_SHOWN]
    rows = [gan.sample(same, torch.full((N_SHOWN,), i)) for i in range(len(CLASSES))]
    draw_grid(recipe.out / "same_noise.png", rows, CLASSES)
    pictures = {
        "classes.png": "A row for each class that was asked for.",
        "same_noise.png": "The same noise in every row: what the class leaves open is kept.",
    }
    recipe.finish(bounds, pictures, trained.n_steps)


if __name__ == "__main__":
    with errors_in_one_sentence():
        main()
