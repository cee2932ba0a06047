"""An autoencoder on clothes, beside principal components of the same width.

python recipes/images/autoencoder.py DATA OUT [key=value ...]
"""

import numpy as np
import torch
from matplotlib.figure import Figure
from recipe import begin
from sklearn.decomposition import PCA

from voxcycle.console import errors_in_one_sentence
from voxcycle.evaluation.stats.bounds import at_most, reported
from voxcycle.images.image_files import draw_grid

WIDTHS = (2, 4, 8, 16, 32)
SHOWN = 16


@torch.no_grad()
def main() -> None:
    recipe = begin("autoencoder", __doc__)
    train, test = (recipe.load_images(f"fashion/{x}").images() for x in ("train", "test"))
    own, linear, bounds = [], [], []
    for width in WIDTHS:
        trained = recipe.train("autoencoder", n_latent=width, out=f"run-{width}")
        sent = trained.method.reconstruct(test)
        pca = PCA(width, svd_solver="randomized", random_state=0).fit(train.flatten(1).numpy())
        flat = pca.inverse_transform(pca.transform(test.flatten(1).numpy()))
        projected = torch.from_numpy(flat.astype(np.float32)).reshape(test.shape)
        for errors, images in ((own, sent), (linear, projected)):
            errors.append(float((images - test).square().mean() / 4))  # of pixels in [0, 1]
        bounds.append(reported(f"MSE, {width} components", linear[-1]))
        bounds.append(at_most(f"MSE, code of {width}", own[-1], linear[-1]))
        if width == SHOWN:
            rows = [test[:14], sent[:14], projected[:14]]
            draw_grid(recipe.out / "rows.png", rows, ["input", "autoencoder", "components"])
    figure = Figure(figsize=(5, 3), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.plot(WIDTHS, own, "o-", label="autoencoder")
    axes.plot(WIDTHS, linear, "s--", label="principal components")
    axes.set_xscale("log", base=2)
    axes.set_xticks(WIDTHS, [str(width) for width in WIDTHS])
    axes.set(xlabel="width of the code", ylabel="mean squared error", ylim=(0, None))
    axes.legend()
    figure.savefig(recipe.out / "widths.png")
    pictures = {
        "rows.png": f"Clothes that it never saw; what passes a code of {SHOWN} numbers; what "
        f"{SHOWN} principal components keep.",
        "widths.png": "The error against the width of the bottleneck.",
    }
    recipe.finish(bounds, pictures, trained.n_steps)


if __name__ == "__main__":
    with errors_in_one_sentence():
        main()
