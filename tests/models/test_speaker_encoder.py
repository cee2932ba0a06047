import torch

from voxcycle.models.speaker_encoder import SpeakerEncoder


def make_encoder():
    torch.manual_seed(0)
    return SpeakerEncoder(n_mels=8, width=16, n_blocks=2, n_embedding=5).eval()


@torch.no_grad()
def test_embeddings_are_unit_vectors_and_tell_mels_apart():
    mel = torch.randn(3, 8, 60, generator=torch.Generator().manual_seed(1))
    found = make_encoder()(mel, torch.ones(3, 60))
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))
    assert (found[0] - found[1]).abs().max() > 0.01


@torch.no_grad()
def test_only_frames_of_speech_count():
    encoder = make_encoder()
    mel = torch.randn(1, 8, 60, generator=torch.Generator().manual_seed(1))
    speech = torch.zeros(1, 60)
    speech[:, 20:40] = 1
    other = mel.clone()
    other[..., 50:] += 3  # beyond the reach of two blocks of kernel 7 from the frames of speech
    torch.testing.assert_close(encoder(other, speech), encoder(mel, speech))
    assert (encoder(other, torch.ones(1, 60)) - encoder(mel, torch.ones(1, 60))).abs().max() > 1e-3


@torch.no_grad()
def test_mean_and_deviation_are_those_over_speech():
    encoder = SpeakerEncoder(n_mels=8, width=4, n_blocks=0, n_embedding=8)
    torch.nn.init.eye_(encoder.out.weight)
    torch.nn.init.zeros_(encoder.out.bias)
    mel = torch.randn(1, 8, 10, generator=torch.Generator().manual_seed(2))
    x = encoder.norm(encoder.embed(((mel + 5.0) / 1.7).transpose(1, 2)))[0, :6]
    pooled = torch.cat([x.mean(0), x.std(0, correction=0)])
    speech = torch.tensor([[1.0] * 6 + [0.0] * 4])
    torch.testing.assert_close(encoder(mel, speech)[0], pooled / pooled.norm())
