"""Small real files of every kind that the package reads, from which the hostile ones are made."""

import gzip
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import soundfile
from mutations import seal_ogg

RATE, N_SAMPLES = 8000, 1000
WITHOUT_HEADER = ("RAW", "SD2")
FILMS = ("m4a", "mkv", "avi", "wma")


def write_seeds(folder: Path) -> None:
    """Write files of every kind, a folder per target."""
    writers = {
        "audio": write_audio,
        "film": write_films,
        "manifest": write_manifests,
        "lists": write_lists,
        "config": write_configs,
        "overrides": write_overrides,
    }
    for target, write in writers.items():
        (folder / target).mkdir(parents=True)
        write(folder / target)
    write_networks(folder)


def make_sound() -> np.ndarray:
    """Return an eighth of a second of a tone in noise, (T,)."""
    rng = np.random.default_rng(0)
    tone = np.sin(np.arange(N_SAMPLES) * 0.2) * np.linspace(0.1, 0.4, N_SAMPLES)
    return (tone + 0.01 * rng.standard_normal(N_SAMPLES)).astype(np.float32)


def write_audio(folder: Path) -> None:
    """Write every format and subtype of libsndfile, mono and stereo, and joined files."""
    sound = make_sound()
    for kind in soundfile.available_formats():
        for subtype in soundfile.available_subtypes(kind) if kind not in WITHOUT_HEADER else ():
            for n_channels in (1, 2):
                path = folder / f"{kind}-{subtype}-{n_channels}.{kind.lower()}"
                samples = np.repeat(sound[:, None], n_channels, 1)
                try:
                    soundfile.write(path, samples, RATE, format=kind, subtype=subtype)
                except soundfile.SoundFileError:  # of one channel only, or of other rates
                    path.unlink(missing_ok=True)
    for path in folder.glob("*.ogg"):
        path.write_bytes(seal_ogg(path.read_bytes(), serial=1))
    for name in ("FLAC-PCM_16-1.flac", "OGG-VORBIS-1.ogg", "MP3-MPEG_LAYER_III-1.mp3"):
        data = (folder / name).read_bytes()
        (folder / f"joined-{name}").write_bytes(data + data)


def write_films(folder: Path) -> None:
    """Write what only ffmpeg reads; nothing where it is not installed."""
    if shutil.which("ffmpeg") is None:
        return
    soundfile.write(wav := folder / "sound.wav", make_sound(), RATE)
    for suffix in FILMS:
        command = ["ffmpeg", "-v", "error", "-bitexact", "-i", wav, folder / f"sound.{suffix}"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    wav.unlink()


def write_manifests(folder: Path) -> None:
    """Write two manifests."""
    from dataclasses import asdict

    from voxcycle.conversion.manifest import Row

    statuses = ("started", "ok", "failed")
    rows = [
        asdict(Row(f"id{i}", "heart", f"/in/{i}.wav", f"sub/{i}.wav", status=status, time="now"))
        for i, status in enumerate(statuses)  # type: ignore[arg-type]
    ]
    lines = [json.dumps(row) for row in rows]
    (folder / "manifest.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "torn.jsonl").write_text("\n".join(lines * 2) + '\n{"id": "x", "voi')


def write_lists(folder: Path) -> None:
    """Write a list of each kind; the files of a folder of Kaldi are parted by `targets.FILES`."""
    source = {"type": "file", "channels": [0], "source": "one.wav"}
    recording = {"id": "one", "sources": [source], "sampling_rate": RATE, "duration": 2.0}
    cut = {"id": "cut", "start": 0.5, "duration": 1.0, "channel": 0, "recording": recording}
    cut |= {"supervisions": [{"id": "s", "speaker": "ben", "text": "äh"}], "features": {"a": 1}}
    rows = [{"audio_filepath": f"{i}.wav", "offset": 0.5, "duration": 2, "id": i} for i in "ab"]
    for name, documents in {"cuts": [cut, cut], "recordings": [recording], "rows": rows}.items():
        text = "".join(json.dumps(document) + "\n" for document in documents)
        (folder / f"{name}.jsonl").write_text(text)
        (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    (folder / "a.csv").write_text(
        'path,id,speaker,start,duration\n"a, b.wav",x,ben,0.5,1\nb,y,,,\n'
    )
    (folder / "a.tsv").write_text("file\tlength\na.wav\t1\nb.wav\t2\n")
    kaldi = (
        "one /in/one.wav\ntwo two.wav\nthree cat x |\n",
        "one-a one 0.5 1.25\none-b one 1.0 -1\ntwo-a two 0 1\n",
        "one-a anna\none-b anna\ntwo-a ben\n",
        "one-a what is said\none-b\ntwo-a more\n",
        "anna f\nben m\n",
    )
    (folder / "whole.scp").write_text("\n%%\n".join((kaldi[0], "", "one anna\n", "one said\n")))
    (folder / "segments.scp").write_text("\n%%\n".join(kaldi))


def write_configs(folder: Path) -> None:
    """Write settings of three trainings."""
    voice = "a: clips/anna\nb: clips/ben\nout: run\nsteps: 20\nname_b: ben\nconsent: 'yes, all'\n"
    voice += "discriminator_widths: [8, 16]\nclip: null\nany_to_one: true\nadversarial_b: 2.5e+0\n"
    (folder / "voice.yaml").write_text(voice + "start:\nseed: 7\nprecision: bf16-mixed\n")
    vocoder = "out: run\nfolders: [one, two]\nvoices:\n- heart\n- a/b.safetensors\nwidth: 16\n"
    (folder / "vocoder.yaml").write_text(vocoder + "share: &x 0.5\nmel: *x\n")
    (folder / "pretrained.yaml").write_text("out: run\nfolders: {0: a}\nfavourite_share: .1\n")


def write_overrides(folder: Path) -> None:
    """Write words of command lines, one a line."""
    (folder / "a.txt").write_text("a=anna\nb=ben\nout=run\nminutes=15\nclip=null\n")
    (folder / "b.txt").write_text("a=x\nb=y\nout=z\nstart='a: b'\ndiscriminator_widths=[8,16]\n")


def write_networks(folder: Path) -> None:
    """Write a small file of each kind that holds weights, and a HiFi-GAN with its settings."""
    import torch

    from voxcycle.artifacts import PHONETIC_ENCODER, write_artifact
    from voxcycle.audio.mel import MelSpec
    from voxcycle.audio.stats import DomainStats
    from voxcycle.models.source_filter_networks import SourceFilterVocoder
    from voxcycle.models.speaker_encoder import SpeakerEncoder
    from voxcycle.models.voice_generator import VoiceGenerator
    from voxcycle.models.weights import store_network
    from voxcycle.models.whisper_encoder import WhisperEncoder
    from voxcycle.runtime.weights import StoredNetwork
    from voxcycle.speech.embedding import save_encoder
    from voxcycle.vocoders.source_filter import SourceFilter
    from voxcycle.voices.generator import Generator
    from voxcycle.voices.pretrained import Pretrained, condition_size
    from voxcycle.voices.speaker_encoder import SpeakerEncoder as StoredEncoder
    from voxcycle.voices.voice import Voice, VoiceCard

    torch.manual_seed(0)
    names = ("voice", "pretrained", "vocoder", "phonetic", "speaker")
    places = {name: folder / name / "a.safetensors" for name in names}
    for place in places.values():
        place.parent.mkdir()
    spec = MelSpec(n_fft=64, hop_length=16, win_length=64, n_mels=8)
    stats = DomainStats(np.zeros(8, np.float32), np.ones(8, np.float32), 5.0, 0.2)
    made = store_network(VoiceGenerator(n_mels=8, width=8, n_blocks=1, n_excitation=9))
    voice = Generator(made.arguments, made.weights)
    card = VoiceCard("a", "en", "woman", training={"steps": 1}, scores={"wer": 0.1})
    Voice(card, spec, stats, stats, True, voice).save(places["voice"])
    (folder / "show").mkdir()
    shutil.copy(places["voice"], folder / "show")
    n_condition = condition_size(spec)
    sizes = {"n_mels": 8, "width": 8, "n_blocks": 1, "n_excitation": 9, "n_condition": n_condition}
    made = store_network(VoiceGenerator(**sizes))
    conditional = Generator(made.arguments, made.weights)
    judge = StoredNetwork({"n_mels": 8, "widths": [4]}, {"weight": np.zeros(4, np.float32)})
    Pretrained(conditional, judge, spec, stats, {"steps": 1}).save(places["pretrained"])
    vocoder = store_network(SourceFilterVocoder(spec, width=8, n_blocks=1))
    SourceFilter(vocoder, spec).save(places["vocoder"], {"steps": 1})
    stored = store_network(SpeakerEncoder(80, 8, 1, 4))
    save_encoder(StoredEncoder(stored.arguments, stored.weights), places["speaker"], {})
    stored = store_network(WhisperEncoder(n_mels=80, width=8, n_heads=2, n_layers=1))
    header = {"encoder": stored.arguments, "mel_spec": MelSpec().to_dict(), "mean": [0.0] * 8}
    write_artifact(places["phonetic"], PHONETIC_ENCODER, header, stored.to_fp16())
    (folder / "hifigan").mkdir()
    (folder / "hifigan" / "config.json").write_text(json.dumps(HIFIGAN))
    write_checkpoint(folder / "checkpoint")


HIFIGAN = {
    "resblock": "2",
    "upsample_rates": [4, 4],
    "upsample_kernel_sizes": [8, 8],
    "upsample_initial_channel": 8,
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 2]],
    "num_mels": 8,
    "n_fft": 64,
    "hop_size": 16,
    "win_size": 64,
    "sampling_rate": 22_050,
    "fmin": 0,
    "fmax": 8000,
}


def write_checkpoint(folder: Path) -> None:
    """Write a HiFi-GAN, and load it once, which keeps its weights in the cache."""
    import torch

    from voxcycle.vocoders.hifigan import HiFiGAN

    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(HIFIGAN))
    shapes = {"conv_pre": (8, 8, 7), "conv_post": (1, 2, 7)}
    for stage, channels in enumerate((8, 4)):
        half = channels // 2
        shapes[f"ups.{stage}"] = (channels, half, 8)
        shapes |= {f"resblocks.{stage}.convs.{index}": (half, half, 3) for index in range(2)}
    state = {}
    for layer, shape in shapes.items():
        n_biases = shape[1] if layer.startswith("ups") else shape[0]
        state |= {f"{layer}.weight": torch.randn(shape), f"{layer}.bias": torch.randn(n_biases)}
    torch.save({"generator": state}, folder / "g_1")
    HiFiGAN.load(folder)
