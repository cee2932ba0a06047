"""Debiasing variational autoencoder: a classifier that sees more of what is rare among faces.

Amini, Soleimany et al. (2019). One encoder tells faces from the rest and maps faces to latents; a
decoder keeps the latents meaningful (eq. 1: c1 classification + c2 reconstruction + c3 KL, the last
two on faces alone). Histograms of the latents say which faces are rare, and those are drawn more
often (algorithm 1). No label says what the groups are.

Departures: the weights follow the largest rather than the product of the histograms' inverses
(`resampling_weights` explains why and has both); faces are weighed again every few hundred steps
instead of every epoch, not before the encoder has learned something, and by running statistics of
its batch norm.
"""

from collections.abc import Mapping
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxcycle.losses.elbo import kl_to_standard_normal
from voxcycle.methods.batches import FaceBatch
from voxcycle.methods.phase import Memory, Phase
from voxcycle.methods.vae import reparameterize
from voxcycle.models.coders import to_images

CHUNK = 500  # faces encoded at once
N_BINS = 10  # of a latent's histogram
# c1, c2 and c3 of the authors' lecture, for a mean over pixels and a sum over latents.
WEIGHTS: Mapping[str, float] = {"classification": 1.0, "reconstruction": 1.0, "kl": 5e-4}
Rule = Literal["max", "product"]


def to_range(pixels: Tensor) -> Tensor:
    """Return images in [-1, 1] of pixels from 0 to 255."""
    return pixels.float() / 127.5 - 1


class DebiasingVAE(nn.Module):
    """Classifies, and with a rule also levels the frequencies of latents among the faces it sees.

    Args:
        encoder: images (B, C, H, W) to a logit, means and log variances, (B, 1 + 2 * n_latent).
        decoder: latents (B, n_latent) to the logits of pixels (B, C, H, W).
        weights: c1, c2 and c3, under the names of `WEIGHTS`.
        rule: how histograms become weights; None draws all faces alike.
        smoothing: alpha of the histograms.
        every: steps between two updates of the weights, and before the first.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        n_latent: int,
        weights: Mapping[str, float] = WEIGHTS,
        rule: Rule | None = "max",
        smoothing: float = 1e-3,
        every: int = 200,
        lr: float = 1e-3,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.n_latent, self.weights, self.lr = n_latent, weights, lr
        self.rule, self.smoothing, self.every = rule, smoothing, every
        self.face_weights = torch.zeros(0)  # (N,) on the CPU once training has begun

    def get_extra_state(self) -> Tensor:
        """Return the faces' weights: not a buffer, whose size would have to be known beforehand."""
        return self.face_weights

    def set_extra_state(self, state: Tensor) -> None:
        """Take the faces' weights of a checkpoint."""
        self.face_weights = state.cpu()

    def phases(self) -> list[Phase]:
        """Return the one phase."""
        optimizer = partial(torch.optim.Adam, lr=self.lr)
        return [Phase("debiasing", self, self.losses, self.weights, optimizer=optimizer)]

    def losses(self, batch: FaceBatch, memory: Memory) -> dict[str, Tensor]:
        """Return c1's cross entropy, c2's mean absolute error and c3's KL term."""
        if len(self.face_weights) == 0:
            self.face_weights = torch.full((len(batch.faces),), 1 / len(batch.faces)).double()
        if self.rule is not None and batch.step and batch.step % self.every == 0:
            self.face_weights = self.weigh_faces(batch.faces)
        generator = torch.Generator().manual_seed(batch.seed)
        n, share = len(batch.others), batch.share
        n_all = n * share.n_ranks
        chosen = self.face_weights.multinomial(n_all, replacement=True, generator=generator)
        chosen = share.of(chosen)
        faces = to_range(batch.faces[chosen.to(batch.faces.device)])
        logits, mu, log_var = self.heads(torch.cat([faces, batch.others]))
        labels = torch.cat([torch.ones(n), torch.zeros(n)]).to(logits)
        mu, log_var = mu[:n], log_var[:n]  # no gradient but the classifier's from non-faces
        noise = share.of(torch.randn(n_all, self.n_latent, generator=generator)).to(mu)
        sent = self.decode(reparameterize(mu, log_var, noise))
        return {
            "classification": F.binary_cross_entropy_with_logits(logits, labels),
            # means over the batch, half of which has no such term; pixels in [0, 1] as the paper's
            "reconstruction": (sent - faces).abs().mean() / 2 / 2,
            "kl": kl_to_standard_normal(mu, log_var).mean() / 2,
        }

    def heads(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the logit of being a face (B,), mean and log variance (B, n_latent) each."""
        sizes = [1, self.n_latent, self.n_latent]
        logit, mu, log_var = self.encoder(images).split(sizes, 1)
        return logit[:, 0], mu, log_var

    @torch.no_grad()
    def weigh_faces(self, faces: Tensor) -> Tensor:
        """Return how often each of the faces (N, C, H, W), 0 to 255, should be drawn, (N,)."""
        if self.rule is None:
            return torch.full((len(faces),), 1 / len(faces)).double()
        was_training = self.encoder.training
        self.encoder.eval()
        latents = torch.cat([self.encode(to_range(chunk)) for chunk in faces.split(CHUNK)])
        self.encoder.train(was_training)
        return resampling_weights(latents.cpu(), self.smoothing, self.rule)

    def predict(self, images: Tensor) -> Tensor:
        """Return the probability (B,) of being a face."""
        return self.heads(images)[0].sigmoid()

    def encode(self, images: Tensor) -> Tensor:
        """Return the means (B, n_latent)."""
        return self.heads(images)[1]

    def decode(self, z: Tensor) -> Tensor:
        """Return images (B, C, H, W), in [-1, 1], of latents (B, n_latent)."""
        return to_images(self.decoder(z))

    def reconstruct(self, images: Tensor) -> Tensor:
        """Return images sent through the means of their latents."""
        return self.decode(self.encode(images))

    def sample(self, noise: Tensor) -> Tensor:
        """Return faces of latents drawn from the prior: noise (B, n_latent)."""
        return self.decode(noise)


def resampling_weights(latents: Tensor, smoothing: float, rule: Rule = "max") -> Tensor:
    """Return how often each example should be drawn, (N,), summing to 1.

    Every latent has a histogram Q_i of ten bins; an example weighs 1 / (Q_i(z) + alpha). Densities
    are shares of the examples, so that alpha means the same for a wide latent and a narrow one.

    Latents are (N, n_latent); a smoothing alpha of 0.001 favours rare examples, 1,000 none.
    The "product" over latents is the paper's rule (algorithm 1), which over many latents gives a
    few examples all the weight. "max" takes the latent in which the example is rarest, as the
    authors' own lecture does.
    """
    factors = torch.stack([_rarity(latent, smoothing) for latent in latents.double().T])
    factors = factors / factors.sum(1, keepdim=True)
    if rule == "max":
        weights = factors.amax(0)
    else:
        logs = factors.log().sum(0)
        weights = (logs - logs.max()).exp()
    return weights / weights.sum()


def _rarity(latent: Tensor, smoothing: float) -> Tensor:
    low, high = float(latent.min()), float(latent.max())
    if low == high:  # a constant latent carries no information
        return torch.ones_like(latent)
    bins = ((latent - low) / (high - low) * N_BINS).long().clamp(max=N_BINS - 1)
    shares = torch.bincount(bins, minlength=N_BINS) / len(latent)
    return 1 / (shares[bins].double() + smoothing)


def effective_sample_size(weights: Tensor) -> float:
    """Return (sum w)^2 / sum w^2: the number of evenly drawn examples with the same variance."""
    return float(weights.sum().square() / weights.square().sum())
