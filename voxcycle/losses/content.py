"""Content: whether a conversion says what its source says, as a phonetic network hears both."""

import torch.nn.functional as F
from torch import Tensor

TEMPERATURE = 0.1


def unit_logits(features: Tensor, centroids: Tensor) -> Tensor:
    """Return cosine / temperature to each unit: (B, P, D) and unit vectors (K, D) to (B, P, K)."""
    return F.normalize(features, dim=-1) @ centroids.T / TEMPERATURE


def content_loss(
    source_logits: Tensor, converted_logits: Tensor, weight: Tensor | None = None
) -> Tensor:
    """Return the Kullback-Leibler divergence from source to conversion, mean per position.

    Both are logits (B, P, K); their softmax are the soft shares of K phonetic units. The source is
    the teacher and gets no gradient. Positions count by their weight (B, P), if there is one.
    """
    teacher = source_logits.detach().log_softmax(-1)
    student = converted_logits.log_softmax(-1)
    divergence = F.kl_div(student, teacher, reduction="none", log_target=True).sum(-1)
    if weight is None:
        return divergence.mean()
    return (divergence * weight).sum() / weight.sum().clamp(min=1)
