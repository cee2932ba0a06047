"""A variational autoencoder on clothes: its bound, and a latent space that can be walked in.

    python recipes/images/vae.py DATA OUT [key=value ...]

The plain autoencoder beside it has the same networks: what differs is the noise on the code and the
pull towards the prior, and with them that every point of the latent space means something.
"""

import torch
from matplotlib.figure import Figure
from recipe import begin
from torch import Tensor

from voxcycle.console import errors_in_one_sentence
from voxcycle.evaluation.stats.bounds import at_least, at_most, reported
from voxcycle.images.image_files import draw_grid
from voxcycle.images.metrics.image_quality import nearest_images

N_SAMPLES = 500
N_PATHS, N_STEPS = 200, 11
N_IMPORTANCE, N_BOUND = 64, 1_000
LEAST_GAIN = 1.0  # nats; 0 would hold by Jensen's inequality alone
ACTIVE = 0.01  # variance of a latent's mean over images, Burda et al. (2016)


def walk(decode, start: Tensor, end: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
    """Return the images (N_STEPS, B, C, H, W) on the straight line between two codes."""
    return torch.stack([decode(start.lerp(end, t)) for t in torch.linspace(0, 1, N_STEPS)])


@torch.no_grad()
def main() -> None:
    recipe = begin("vae", __doc__)
    train = recipe.load_images("fashion/train").images()
    test_set = recipe.load_images("fashion/test")
    test, classes = test_set.images(), torch.from_numpy(test_set.factor("class"))
    trained = recipe.train("vae")
    vae = trained.method
    plain = recipe.train("autoencoder", out="autoencoder").method
    flat = recipe.train("vae", out="flat", n_latent=2).method
    flat_plain = recipe.train("autoencoder", out="flat-autoencoder", n_latent=2).method

    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(len(test), vae.n_latent, generator=generator)
    reconstruction, kl = (term.mean() for term in vae.elbo_terms(test, noise))
    mu, log_var = vae.posterior(test)
    spread = (mu.var(0) + log_var.exp().mean(0)).sqrt()
    tries = torch.randn(N_IMPORTANCE, N_BOUND, vae.n_latent, generator=generator)
    bound = -vae.log_likelihood_bound(test[:N_BOUND], tries).mean()
    of_the_same = sum(vae.elbo_terms(test[:N_BOUND], noise[:N_BOUND])).mean()

    # completeness: how far from anything real is what a draw from the prior decodes to?
    z = torch.randn(N_SAMPLES, vae.n_latent, generator=generator)
    reals = nearest_images(test[:N_SAMPLES], train)[0].median()
    # continuity: on the way from one image to another, how far is the middle from anything real?
    pairs = test[: 2 * N_PATHS].chunk(2)
    far, middle = {}, {}
    for name, model in (("VAE", vae), ("autoencoder", plain)):
        far[name] = nearest_images(model.decode(z), train)[0].median()
        path = walk(model.decode, *(model.encode(x) for x in pairs))
        ends = torch.cat([nearest_images(path[i], train)[0] for i in (0, -1)]).mean()
        middle[name] = nearest_images(path[N_STEPS // 2], train)[0].mean() / ends

    rows = [decode(part) for decode in (vae.sample, plain.decode) for part in (z[:14], z[14:28])]
    draw_grid(recipe.out / "samples.png", rows, ["VAE", "", "autoencoder", ""])
    walks = [walk(m.decode, *(m.encode(x[:3]) for x in pairs)) for m in (vae, plain)]
    rows = [steps[:, i] for i in range(3) for steps in walks]
    draw_grid(recipe.out / "walks.png", rows, ["VAE", "autoencoder"] * 3)
    axis = torch.special.ndtri(torch.linspace(0.03, 0.97, 14))
    grid = torch.stack([torch.stack([x, -y]) for y in axis for x in axis])
    draw_grid(recipe.out / "manifold.png", list(flat.decode(grid).split(14)))
    figure = Figure(figsize=(8, 4), dpi=120, layout="constrained")
    angle = torch.linspace(0, 2 * torch.pi, 100)
    models = (("VAE", flat), ("autoencoder", flat_plain))
    for axes, (name, model) in zip(figure.subplots(1, 2), models, strict=True):
        axes.scatter(*model.encode(test).T, c=classes, cmap="tab10", s=2, linewidths=0)
        axes.plot(2.45 * angle.cos(), 2.45 * angle.sin(), "k--", linewidth=1)  # 95 % of the prior
        axes.set(title=name, aspect="equal")
    figure.savefig(recipe.out / "codes.png")

    bounds = [
        at_most("-ELBO, nats per image", reconstruction + kl, 256),
        reported("reconstruction term", reconstruction),
        at_least("KL term", kl, 8),
        at_most("KL term, at most", kl, 25),
        reported(f"-ELBO of the first {N_BOUND:,} images", of_the_same),
        reported(f"importance-weighted bound of these, {N_IMPORTANCE} draws", bound),
        at_least("what the draws gain", of_the_same - bound, LEAST_GAIN),
        at_least("aggregate posterior, mean standard deviation", spread.mean(), 0.9),
        at_most("the same, at most", spread.mean(), 1.15),
        at_least("active latents of 16", (mu.var(0) > ACTIVE).sum(), 12),
        reported("distance of a real test image to the nearest training image", reals),
        reported("of a decoded draw from the prior, autoencoder", far["autoencoder"]),
        at_most("of a decoded draw from the prior, VAE", far["VAE"], far["autoencoder"]),
        reported("middle of a walk, distance over that of its ends, autoencoder",
                 middle["autoencoder"]),
        at_most("the same, VAE", middle["VAE"], middle["autoencoder"]),
    ]  # fmt: skip
    pictures = {
        "samples.png": "Draws from the standard normal distribution, decoded: completeness.",
        "walks.png": "From one piece to another along a straight line of codes: continuity.",
        "manifold.png": "All of a latent space of two numbers, each at the quantiles 3 to 97 %.",
        "codes.png": "Where test images lie in it, coloured by class; the circle holds 95 % of the "
        "prior.",
    }
    recipe.finish(bounds, pictures, trained.n_steps)


if __name__ == "__main__":
    with errors_in_one_sentence():
        main()
