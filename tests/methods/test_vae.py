from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Normal

from voxcycle.images.batches import ImageBatches
from voxcycle.images.image_set import ImageSet, load_images
from voxcycle.images.metrics.latent_metrics import mutual_information_gap
from voxcycle.images.shapes import draw_shapes
from voxcycle.images.systems.vae import VAEConfig
from voxcycle.images.train import train_system
from voxcycle.losses.elbo import kl_to_standard_normal
from voxcycle.methods.batches import ImageBatch
from voxcycle.methods.phase import weigh
from voxcycle.methods.vae import VAE, Autoencoder, reparameterize
from voxcycle.models.coders import build_decoder, build_encoder

SHAPE = (1, 8, 8)
MIN_GAP, MIN_GAP_RATIO = 0.3, 1.5  # of recipes/images/beta_vae.py
MAX_NEGATIVE_ELBO, MIN_KL, MAX_KL = 256, 8, 25  # the bounds of recipes/images/vae.py


def make_vae(beta=1.0, n_latent=3):
    torch.manual_seed(0)
    return VAE(
        build_encoder("mlp", SHAPE, 16, 2 * n_latent),
        build_decoder("mlp", SHAPE, 16, n_latent),
        n_latent,
        beta,
    )


def batch_of(images):
    return ImageBatch(images, torch.zeros(len(images), 0, dtype=torch.long), 0, seed=11)


def make_batch():
    return batch_of(torch.rand(6, *SHAPE, generator=torch.Generator().manual_seed(2)) * 2 - 1)


def make_linear():
    """Two pixels through one number: the best line through the data."""
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(2, 1, bias=False))
    decoder = nn.Sequential(nn.Linear(1, 2, bias=False), nn.Unflatten(1, (1, 1, 2)))
    return Autoencoder(encoder, decoder, 1, lr=0.02)


def test_the_loss_of_an_autoencoder_by_hand():
    method = make_linear()
    with torch.no_grad():
        method.encoder[1].weight.copy_(torch.tensor([[1.0, 0.0]]))
        method.decoder[0].weight.copy_(torch.tensor([[1.0], [0.5]]))
    # (2, 3) has the code 2 and comes back as (2, 1): squared errors 0 and 4
    images = torch.tensor([2.0, 3.0]).reshape(1, 1, 1, 2)
    assert method.encode(images).item() == 2
    assert method.reconstruct(images).flatten().tolist() == [2.0, 1.0]
    assert method.losses(batch_of(images), {})["reconstruction"].item() == pytest.approx(2.0)


def test_a_linear_autoencoder_finds_the_first_principal_component(train):
    """Baldi and Hornik (1989): the error comes down to the smaller eigenvalue, halved."""
    generator = torch.Generator().manual_seed(0)
    data = torch.randn(256, 2, generator=generator) @ torch.tensor([[1.0, 0.6], [0.0, 0.3]])
    data -= data.mean(0)
    eigenvalues = torch.linalg.eigvalsh(data.T @ data / len(data))
    batch = batch_of(data.reshape(-1, 1, 1, 2))
    method = train(make_linear(), [batch] * 400).method
    loss = method.losses(batch, {})["reconstruction"].item()
    assert loss == pytest.approx(eigenvalues[0].item() / 2, rel=0.01)


def test_samples_have_gradients_and_the_posterior_s_moments():
    """dz/dmu = 1 and dz/dlog_var = sigma * eps / 2."""
    mu = torch.tensor([[0.3, -1.0]], requires_grad=True)
    log_var = torch.tensor([[0.5, -2.0]], requires_grad=True)
    noise = torch.tensor([[1.5, -0.7]])
    reparameterize(mu, log_var, noise).sum().backward()
    assert mu.grad is not None and log_var.grad is not None
    assert mu.grad.tolist() == [[1.0, 1.0]]
    expected = 0.5 * (0.5 * log_var.detach()).exp() * noise
    assert torch.allclose(log_var.grad, expected)
    mu, log_var = torch.tensor([2.0]), torch.tensor([np.log(9.0)])
    noise = torch.randn(200_000, generator=torch.Generator().manual_seed(0))
    z = reparameterize(mu, log_var, noise)
    assert z.mean().item() == pytest.approx(2, abs=0.03)  # four standard errors
    assert z.std().item() == pytest.approx(3, abs=0.03)


def test_terms_are_means_of_sums_and_abilities_agree():
    vae, batch = make_vae(), make_batch()
    terms = vae.losses(batch, {})
    mu, log_var = vae.posterior(batch.images)
    assert terms["kl"].item() == pytest.approx(kl_to_standard_normal(mu, log_var).mean().item())
    reconstruction, kl = vae.elbo_terms(batch.images, batch.normal(6, 3))
    assert reconstruction.shape == kl.shape == (6,)
    assert terms["reconstruction"].item() == pytest.approx(reconstruction.mean().item())
    with torch.no_grad():
        assert torch.equal(vae.encode(batch.images), mu)
        assert torch.equal(vae.reconstruct(batch.images), vae.decode(mu))
        assert torch.equal(vae.sample(mu), vae.decode(mu))
        assert torch.allclose((vae.decode(mu) + 1) / 2, vae.decoder(mu).sigmoid(), atol=1e-6)


def test_beta_weighs_the_kl_term_alone_and_a_step_moves_all(find_unmoved):
    totals = []
    for beta in (0.0, 1.0, 4.0):
        vae = make_vae(beta)
        (phase,) = vae.phases()
        totals.append(weigh(vae.losses(make_batch(), {}), phase.weights).item())
    kl = make_vae().losses(make_batch(), {})["kl"].item()
    assert totals[1] - totals[0] == pytest.approx(kl, rel=1e-4)
    assert totals[2] - totals[0] == pytest.approx(4 * kl, rel=1e-4)
    assert find_unmoved(make_vae(), make_batch()) == []


def test_one_draw_of_the_importance_weighted_bound_is_a_sample_of_the_elbo():
    """ln p(x|z) + ln p(z) - ln q(z|x) at the same z; its mean over z is the ELBO."""
    vae, images = make_vae(), make_batch().images
    noise = torch.randn(1_000, 6, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        single = torch.stack([vae.log_likelihood_bound(images, eps[None]) for eps in noise])
        elbo = -torch.stack([sum(vae.elbo_terms(images, eps)) for eps in noise])
        assert torch.allclose(single.mean(0), elbo.mean(0), atol=0.3)  # four standard errors
        # and with the same z exactly ln p(x, z) - ln q(z | x)
        mu, log_var = vae.posterior(images)
        z = mu + (log_var / 2).exp() * noise[0]
        prior, posterior = Normal(0.0, 1.0), Normal(mu, (log_var / 2).exp())
        ratio = (prior.log_prob(z) - posterior.log_prob(z)).sum(1)
        expected = ratio - vae.elbo_terms(images, noise[0])[0]
        assert torch.allclose(single[0], expected, rtol=1e-5)
        bounds = [vae.log_likelihood_bound(images, noise[:k]).mean() for k in (1, 8, 512)]
    assert bounds[0] < bounds[1] < bounds[2]


class _AveragedKL(VAE):
    """The usual slip: the KL term as a mean over latents beside sums over pixels."""

    def losses(self, batch, memory):
        terms = super().losses(batch, memory)
        return terms | {"kl": terms["kl"] / self.n_latent}


@pytest.mark.slow
def test_the_bounds_hold_for_the_vae_and_fail_for_broken_ones(train):
    folder = Path.home() / ".cache" / "voxcycle" / "lecture" / "fashion"
    if not folder.exists():
        pytest.skip("needs the images of egs/images/prepare.py")
    images, test = load_images(folder / "train.npz"), load_images(folder / "test.npz").images()

    def terms_after_three_epochs(kind, beta):
        torch.manual_seed(0)
        encoder = build_encoder("mlp", images.shape, 400, 32)
        vae = kind(encoder, build_decoder("mlp", images.shape, 400, 16), 16, beta)
        train(vae, islice(ImageBatches(images, 128, 0), 1_404))
        noise = torch.randn(len(test), vae.n_latent, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            reconstruction, kl = vae.elbo_terms(test, noise)
        return reconstruction.mean().item(), kl.mean().item()

    reconstruction, kl = terms_after_three_epochs(VAE, 1.0)
    assert reconstruction + kl <= MAX_NEGATIVE_ELBO and MIN_KL <= kl <= MAX_KL
    # posterior collapse: the latents say nothing
    reconstruction, kl = terms_after_three_epochs(VAE, 100.0)
    assert reconstruction + kl > MAX_NEGATIVE_ELBO and kl < MIN_KL
    # averaged over latents instead of summed: the latents say too much
    reconstruction, kl = terms_after_three_epochs(_AveragedKL, 1.0)
    assert kl > MAX_KL


class _UnusedBeta(VAE):
    """A beta that is stored and weighs nothing."""

    def phases(self):
        (phase,) = super().phases()
        return [replace(phase, weights={"reconstruction": 1.0, "kl": 1.0})]


@pytest.mark.slow
def test_the_bounds_of_disentanglement_hold_for_beta_and_fail_where_it_is_unused(train):
    shapes = draw_shapes()
    gaps: dict[type[VAE], list[float]] = {VAE: [], _UnusedBeta: []}
    for kind, found in gaps.items():
        for seed in range(3):
            torch.manual_seed(seed)
            encoder = build_encoder("mlp", shape=shapes.shape, width=100, n_out=12, n_hidden=2)
            decoder = build_decoder("mlp", shape=shapes.shape, width=100, n_latent=6, n_hidden=2)
            vae = kind(encoder, decoder, 6, beta=4.0)
            train(vae, islice(ImageBatches(shapes, 128, seed), 4_000))
            with torch.no_grad():
                codes = vae.encode(shapes.images()).numpy()
            found.append(mutual_information_gap(codes, shapes.labels))
    heavy, unused = np.mean(gaps[VAE]), np.mean(gaps[_UnusedBeta])
    assert heavy >= MIN_GAP and heavy >= MIN_GAP_RATIO * unused  # unused is beta 1
    assert unused < MIN_GAP


def test_training_learns_the_mean_image(tmp_path):
    """All images equal: the reconstruction term falls towards their entropy."""
    pixels = np.full((32, *SHAPE), 204, np.uint8)  # p = .8 in every pixel
    ImageSet(pixels, np.zeros((32, 0), np.int64), ()).save(tmp_path / "images.npz")
    config = VAEConfig(
        data=tmp_path / "images.npz", out=tmp_path / "run", steps=150, batch_size=16, width=16,
        n_latent=2, lr=0.01, threads=1,
    )  # fmt: skip
    method = train_system("vae", config).method
    images = torch.full((1, *SHAPE), 0.6)
    with torch.no_grad():
        reconstruction, kl = method.elbo_terms(images, torch.zeros(1, 2))
    entropy = -64 * (0.8 * np.log(0.8) + 0.2 * np.log(0.2))
    assert reconstruction.item() == pytest.approx(entropy, rel=0.02)
    assert kl.item() < 0.2
