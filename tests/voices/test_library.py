import re

import pytest

from voxcycle.artifacts import ArtifactError
from voxcycle.voices import library as registry
from voxcycle.voices.library import add_voice, find_voice, list_voices, load_voice, remove_voice
from voxcycle.voices.voice import VoiceError


@pytest.fixture
def shipped(make_voice, tmp_path, monkeypatch):
    """Two shipped voices in place of those of the package: ada and bob."""
    folder = tmp_path / "embedded"
    for seed, name in enumerate(("ada", "bob")):
        make_voice(name, seed).save(folder / f"{name}.safetensors")
    monkeypatch.setattr(registry, "EMBEDDED_DIR", folder)
    return folder


@pytest.fixture
def new_file(make_voice, tmp_path):
    """A voice file from elsewhere, not named as its voice."""
    path = tmp_path / "download.safetensors"
    make_voice("carla", 2).save(path)
    return path


def test_a_voice_is_found_by_name_and_by_path(shipped):
    assert find_voice("ada") == shipped / "ada.safetensors"
    assert find_voice(str(shipped / "bob.safetensors")) == shipped / "bob.safetensors"
    assert find_voice(shipped / "bob.safetensors") == shipped / "bob.safetensors"
    assert load_voice("bob").card.name == "bob"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Adda", "unknown voice 'Adda' (did you mean ada?): known are ada, bob"),
        ("zoe", "unknown voice 'zoe': known are ada, bob"),
        ("ada.safetensors", "ada.safetensors: no such voice file"),
        ("voices/ada", "voices/ada: no such voice file"),
    ],
)
def test_an_unknown_voice_lists_the_known_ones(shipped, name, message):
    with pytest.raises(VoiceError, match=f"^{re.escape(message)}$"):
        find_voice(name)


def test_without_any_voice_the_remedy_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "EMBEDDED_DIR", tmp_path / "none")
    assert list_voices() == []
    with pytest.raises(VoiceError, match="no voice is installed; train one"):
        find_voice("ada")


def test_an_added_voice_is_found_and_listed(shipped, new_file, data_dir):
    target = add_voice(new_file)
    assert target == data_dir / "voices" / "carla.safetensors"
    assert target.read_bytes() == new_file.read_bytes()
    assert [p.name for p in target.parent.iterdir()] == ["carla.safetensors"]
    assert find_voice("carla") == target
    origins = {v.name: v.origin for v in list_voices()}
    assert list(origins.items()) == [("ada", "shipped"), ("bob", "shipped"), ("carla", "own")]
    assert add_voice(new_file) == target  # the same file again is no conflict


def test_a_name_that_is_taken_is_replaced_only_on_request(shipped, make_voice, tmp_path):
    other = tmp_path / "other.safetensors"
    make_voice("ada", seed=5).save(other)
    with pytest.raises(VoiceError, match="another voice is named 'ada'.*--overwrite"):
        add_voice(other)
    assert find_voice("ada") == shipped / "ada.safetensors"
    target = add_voice(other, overwrite=True)
    assert find_voice("ada") == target
    assert (shipped / "ada.safetensors").exists()


def test_a_damaged_file_is_not_added(shipped, new_file, data_dir):
    content = bytearray(new_file.read_bytes())
    content[-1] ^= 1
    new_file.write_bytes(content)
    with pytest.raises(ArtifactError, match="checksum"):
        add_voice(new_file)
    assert not data_dir.exists()


@pytest.mark.parametrize("name", ["../carla", "a/b", ".hidden", "", "a\nb"])
def test_a_name_that_leads_elsewhere_is_not_added(shipped, make_voice, tmp_path, data_dir, name):
    make_voice(name).save(tmp_path / "bad.safetensors")
    with pytest.raises(VoiceError, match="cannot be a file's name"):
        add_voice(tmp_path / "bad.safetensors")
    assert not data_dir.exists()


def test_the_list_says_what_the_cards_say_and_which_file_is_damaged(shipped, new_file, data_dir):
    (data_dir / "voices").mkdir(parents=True)
    broken = data_dir / "voices" / "broken.safetensors"
    broken.write_bytes(new_file.read_bytes()[:50])
    ada, bob, damaged = list_voices()
    assert (ada.name, bob.name, damaged.name) == ("ada", "bob", "broken")
    assert "cut short" in damaged.error and damaged.n_bytes == 50
    assert (ada.language, ada.sex, ada.licence) == ("en", "female", "MIT")
    assert ada.scores == {"SECS": 0.81} and ada.is_any_to_one
    assert ada.n_bytes == ada.path.stat().st_size and ada.error == ""


def test_shipped_voices_are_sound():
    voices = list_voices()
    assert {voice.name for voice in voices} == {"heart", "michael", "emma", "george"}
    for voice in voices:
        assert voice.origin == "shipped" and voice.n_bytes < 7e6
        loaded = load_voice(voice.name)
        card, config = loaded.card, loaded.card.training["config"]
        assert loaded.is_any_to_one and loaded.path == voice.path
        assert (card.name, card.language) == (voice.name, "en")
        assert card.licence and card.consent
        for term in ("adversarial_a", "adversarial_b", "cycle_a", "cycle_b"):
            assert config[term] > 0


def test_own_voices_are_removed_and_shipped_ones_are_not(shipped, new_file):
    path = add_voice(new_file)
    assert remove_voice(path.stem) == path and not path.exists()
    with pytest.raises(VoiceError, match="not a voice of your own"):
        remove_voice("ada")
    assert (shipped / "ada.safetensors").exists()
