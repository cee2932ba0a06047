from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from sklearn.metrics import roc_curve as sklearn_roc_curve

from voxcycle.audio.mel import LogMel
from voxcycle.images.batches import ImageBatches
from voxcycle.images.image_set import ImageSet, load_images
from voxcycle.methods.outliers import (
    N_IMPORTANCE,
    area_under_curve,
    distance_to_mean,
    outlier_scores,
    roc_curve,
    unexplained_share,
)
from voxcycle.methods.vae import VAE
from voxcycle.models.coders import build_decoder, build_encoder


def make_vae(shape, n_latent=3, width=16):
    torch.manual_seed(0)
    encoder = build_encoder("mlp", shape, width, 2 * n_latent)
    return VAE(encoder, build_decoder("mlp", shape, width, n_latent), n_latent)


def test_auroc_and_distance_by_hand():
    # pairs (strange, usual): 3>1, 3>2, 2>1, 2=2 counts half: 3.5 of 4
    assert area_under_curve(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 3.0])) == 3.5 / 4
    assert area_under_curve(torch.tensor([1.0, 2.0]), torch.tensor([5.0])) == 1
    assert area_under_curve(torch.tensor([1.0, 2.0]), torch.tensor([0.0])) == 0
    usual = torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1)  # mean .5
    images = torch.tensor([0.5, -0.5]).reshape(2, 1, 1, 1)
    assert distance_to_mean(images, usual).tolist() == [0.0, 1.0]


def test_auroc_and_curve_are_those_of_sklearn():
    generator = torch.Generator().manual_seed(0)
    usual = torch.randn(300, generator=generator).mul(5).round()  # with ties
    strange = torch.randn(200, generator=generator).add(0.7).mul(5).round()
    scores = torch.cat([usual, strange]).numpy()
    labels = np.r_[np.zeros(300), np.ones(200)]
    assert area_under_curve(usual, strange) == pytest.approx(roc_auc_score(labels, scores))
    false, true, _ = sklearn_roc_curve(labels, scores, drop_intermediate=False)
    found = roc_curve(usual, strange)
    assert found[0].tolist() == pytest.approx(list(false), abs=1e-6)
    assert found[1].tolist() == pytest.approx(list(true), abs=1e-6)
    assert np.trapezoid(found[1], found[0]) == pytest.approx(area_under_curve(usual, strange))


def test_scores_by_their_definitions():
    vae, images = make_vae((1, 4, 4)).eval(), torch.rand(7, 1, 4, 4) * 2 - 1
    scores = outlier_scores(vae, images, seed=5)
    with torch.no_grad():
        mu, log_var = vae.posterior(images)
        noise = torch.randn(N_IMPORTANCE, 7, 3, generator=torch.Generator().manual_seed(5))
        elbo = sum(vae.elbo_terms(images, noise[0]))
        bound = vae.log_likelihood_bound(images, noise)
        sent = vae.reconstruct(images)
    assert torch.allclose(scores["-ELBO"], elbo)
    assert torch.allclose(scores[f"-bound, {N_IMPORTANCE} draws"], -bound)
    assert torch.allclose(scores["latent norm"], (mu**2).sum(1))
    kl = torch.distributions.kl_divergence(
        torch.distributions.Normal(mu, (log_var / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    )
    assert torch.allclose(scores["KL"], kl.sum(1), atol=1e-6)
    for i in range(7):
        error = np.mean((sent[i].numpy() - images[i].numpy()) ** 2)
        assert scores["reconstruction error"][i].item() == pytest.approx(error, rel=1e-5)


def mel_crops(waveform, n_frames=8):
    """Return crops (N, 1, 80, n_frames) of the log-mel, -11.5 to 3 brought to [-1, 1]."""
    mel = torch.from_numpy(LogMel()(waveform)).T
    mel = mel[:, : mel.shape[1] // n_frames * n_frames]
    crops = mel.unflatten(1, (-1, n_frames)).transpose(0, 1)[:, None]
    return ((crops + 11.5) / 7.25 - 1).clamp(-1, 1)


def test_the_unexplained_share_knows_no_shades():
    images = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0)) - 0.5
    assert unexplained_share(images, images) == pytest.approx([0] * 5)
    assert unexplained_share(images, torch.full_like(images, 0.3)) == pytest.approx([1] * 5)
    half = images / 2
    assert unexplained_share(images - 0.4, half) == pytest.approx([0.25] * 5, rel=1e-4)


def test_noise_among_speech_is_found(make_speech, train):
    """The same functions judge crops of log-mels: speech is usual, hiss as loud is not."""
    crops = mel_crops(make_speech(40.0, 16_000))[:400]
    test = mel_crops(make_speech(6.0, 16_000, seed=1))
    rng = np.random.default_rng(0)
    noise = mel_crops((0.07 * rng.standard_normal(96_000)).astype(np.float32))
    pixels = ((crops + 1) * 127.5).round().byte().numpy()
    images = ImageSet(pixels, np.zeros((len(pixels), 0), np.int64), ())
    vae, batches = make_vae((1, 80, 8), n_latent=8, width=64), ImageBatches(images, 50, seed=0)
    train(vae, islice(batches, 200))
    usual, strange = (outlier_scores(vae, x) for x in (test, noise))
    found = area_under_curve(usual["reconstruction error"], strange["reconstruction error"])
    assert found >= 0.95


@pytest.mark.slow
def test_digits_among_clothes_are_found_and_not_without_training(train):
    folder = Path.home() / ".cache" / "voxcycle" / "lecture"
    if not folder.exists():
        pytest.skip("needs the images of egs/images/prepare.py")
    images = load_images(folder / "fashion" / "train.npz")
    clothes = load_images(folder / "fashion" / "test.npz").images()
    digits = load_images(folder / "digits" / "all.npz").images()
    vae, batches = make_vae((1, 28, 28), n_latent=16, width=400), ImageBatches(images, 128, seed=0)
    areas = []
    for n_steps in (0, 1_404):
        train(vae, islice(batches, n_steps))
        usual, strange = (outlier_scores(vae, x) for x in (clothes, digits))
        areas.append({name: area_under_curve(usual[name], strange[name]) for name in usual})
    untrained, trained = areas
    mean = images.images().mean(0)
    plain = area_under_curve(*(unexplained_share(x, mean) for x in (clothes, digits)))
    assert untrained["unexplained share"] < 0.6 < 0.95 <= trained["unexplained share"]
    assert trained["unexplained share"] >= plain + 0.05
    assert untrained["reconstruction error"] >= 0.95  # grey is far from black: no sign of learning
    assert trained["-ELBO"] <= 0.5  # the paradox
