import torch

from voxcycle.models.whisper_encoder import WhisperEncoder


def test_positions_are_half_as_many_as_frames_and_attend_to_all():
    torch.manual_seed(0)
    encoder = WhisperEncoder(n_mels=8, width=12, n_layers=2, n_heads=3).eval()
    log_mel = torch.randn(2, 8, 21)
    features = encoder(log_mel)
    assert features.shape == (2, 11, 12)
    changed = log_mel.clone()
    changed[0, :, -1] += 1
    difference = (encoder(changed) - features).abs().amax(2)
    assert (difference[0] > 1e-6).all()  # the last frame reaches the first position
    assert (difference[1] == 0).all()


def test_arguments_rebuild_the_encoder():
    encoder = WhisperEncoder(n_mels=8, width=12, n_layers=2, n_heads=3)
    rebuilt = WhisperEncoder(**encoder.arguments)
    rebuilt.load_state_dict(encoder.state_dict())
    log_mel = torch.randn(1, 8, 20)
    torch.testing.assert_close(rebuilt(log_mel), encoder(log_mel), atol=0, rtol=0)


def test_lengths_may_change_from_call_to_call():
    encoder = WhisperEncoder(n_mels=8, width=12, n_layers=2, n_heads=3)
    log_mel = torch.randn(1, 8, 20)
    first = encoder(log_mel)
    assert encoder(log_mel[..., :9]).shape == (1, 5, 12)
    assert torch.equal(encoder(log_mel), first)
