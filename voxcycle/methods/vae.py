"""Autoencoder, variational autoencoder, and beta-VAE.

Hinton and Salakhutdinov (2006), trained end to end; with linear networks the best code of an
autoencoder would span the space of the first principal components (Baldi and Hornik, 1989).
Kingma and Welling (2014): the ELBO of eq. 3, its KL term in closed form (appendix B), the
reparameterization trick of section 2.4. Higgins et al. (2017): the KL term weighs `beta` (eq. 4).
"""

from functools import partial

import torch
from torch import Tensor, nn

from voxcycle.losses.elbo import (
    bernoulli_negative_log_likelihood,
    importance_weighted_bound,
    kl_to_standard_normal,
    normal_log_density,
)
from voxcycle.methods.batches import ImageBatch
from voxcycle.methods.phase import Memory, Phase
from voxcycle.models.coders import to_images


class Autoencoder(nn.Module):
    """Minimises the squared error of the reconstruction.

    The encoder maps images (B, C, H, W) to codes (B, n_latent), the decoder codes to images.
    """

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, n_latent: int, lr: float = 1e-3
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.n_latent, self.lr = n_latent, lr

    def phases(self) -> list[Phase]:
        """Return the one phase."""
        optimizer = partial(torch.optim.Adam, lr=self.lr)
        weights = {"reconstruction": 1.0}
        return [Phase("autoencoder", self, self.losses, weights, optimizer=optimizer)]

    def losses(self, batch: ImageBatch, memory: Memory) -> dict[str, Tensor]:
        """Return the mean squared error per pixel, images in [-1, 1]."""
        error = self.reconstruct(batch.images) - batch.images
        return {"reconstruction": error.square().mean()}

    def encode(self, images: Tensor) -> Tensor:
        """Return codes (B, n_latent)."""
        return self.encoder(images)

    def decode(self, z: Tensor) -> Tensor:
        """Return images (B, C, H, W) of codes (B, n_latent)."""
        return self.decoder(z)

    def reconstruct(self, images: Tensor) -> Tensor:
        """Return images sent through the bottleneck."""
        return self.decode(self.encode(images))


def reparameterize(mu: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    """Z = mu + sigma * noise: a sample of N(mu, exp(log_var)) through which gradients flow."""
    return mu + (0.5 * log_var).exp() * noise


class VAE(nn.Module):
    """Maximises the ELBO, or with beta other than 1 its weighted form.

    Args:
        encoder: images (B, C, H, W) to mean and log variance, (B, 2 * n_latent).
        decoder: latents (B, n_latent) to the logits of Bernoulli pixels (B, C, H, W).
        beta: weight of the KL term.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        n_latent: int,
        beta: float = 1.0,
        lr: float = 1e-3,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.n_latent, self.beta, self.lr = n_latent, beta, lr

    def phases(self) -> list[Phase]:
        """Return the one phase."""
        optimizer = partial(torch.optim.Adam, lr=self.lr)
        weights = {"reconstruction": 1.0, "kl": self.beta}
        return [Phase("vae", self, self.losses, weights, optimizer=optimizer)]

    def losses(self, batch: ImageBatch, memory: Memory) -> dict[str, Tensor]:
        """Return both terms of -ELBO in nats per image."""
        noise = batch.normal(len(batch.images), self.n_latent)
        reconstruction, kl = self.elbo_terms(batch.images, noise)
        return {"reconstruction": reconstruction.mean(), "kl": kl.mean()}

    def elbo_terms(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return -ln p(x | z) for one z and the KL term, (B,) each; -ELBO is their sum."""
        mu, log_var = self.posterior(images)
        logits = self.decoder(reparameterize(mu, log_var, noise))
        reconstruction = bernoulli_negative_log_likelihood(logits, images)
        return reconstruction, kl_to_standard_normal(mu, log_var)

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of q(z | x), (B, n_latent) each."""
        mu, log_var = self.encoder(images).chunk(2, 1)
        return mu, log_var

    def encode(self, images: Tensor) -> Tensor:
        """Return the means (B, n_latent)."""
        return self.posterior(images)[0]

    def decode(self, z: Tensor) -> Tensor:
        """Return the mean images (B, C, H, W), in [-1, 1], of latents (B, n_latent)."""
        return to_images(self.decoder(z))

    def reconstruct(self, images: Tensor) -> Tensor:
        """Return images sent through the means of their latents."""
        return self.decode(self.encode(images))

    def sample(self, noise: Tensor) -> Tensor:
        """Return images of latents drawn from the prior: noise (B, n_latent)."""
        return self.decode(noise)

    def log_likelihood_bound(self, images: Tensor, noise: Tensor) -> Tensor:
        """Return the importance-weighted bound on ln p(x), (B,), with noise (K, B, n_latent)."""
        mu, log_var = self.posterior(images)
        log_weights = []
        for eps in noise:
            z = reparameterize(mu, log_var, eps)
            zeros = torch.zeros_like(z)
            log_likelihood = -bernoulli_negative_log_likelihood(self.decoder(z), images)
            log_prior = normal_log_density(z, zeros, zeros)
            log_weights.append(log_likelihood + log_prior - normal_log_density(z, mu, log_var))
        return importance_weighted_bound(torch.stack(log_weights))
