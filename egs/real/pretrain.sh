#!/usr/bin/env bash
# Train the networks from which voices start, on real and synthetic speakers, in three resumable stages.
#
#   egs/real/pretrain.sh REAL_SPEECH [first stage] [last stage] [key=value ...]
#
# 1 encoder  the speaker encoder, whose embeddings condition all that follows
# 2 reading  the identity loss alone: say what is heard in the voice of any of the speakers, READING_STEPS (20000)
# 3 voices   all losses of the CycleGAN together, STEPS (5000)
#
# All speakers are sources; the clean real ones and all synthetic ones are targets as well, those of the shipped voices
# more often. Settings (key=value) are added to those of stages 2 and 3.
# Needs: egs/kokoro (stages 1 and 2)
set -euo pipefail
cd "$(dirname "$0")/../.."
usage="usage: pretrain.sh REAL_SPEECH [first stage] [last stage] [key=value ...]"
speech=${1:?$usage} first=${2:-1} last=${3:-3}
corpus=${CORPUS:-$HOME/.cache/voxcycle/kokoro}
folders=${REAL:-$HOME/.cache/voxcycle/real-speech}
run=${RUN:-$HOME/.cache/voxcycle/runs/pretrained}
encoder=${ENCODER:-$run/encoder} reading=${READING:-$run/reading}
python=${PYTHON:-.venv/bin/python}
stage() { [ "$first" -le "$1" ] && [ "$1" -le "$last" ]; }
resume() { [ -e "$1/last.ckpt" ] && echo --resume || true; }
quoted() { sed 's/.*/"&"/' | paste -sd,; }

$python egs/real/link.py "$speech" "$folders"
synthetic=$(ls -d ${SYNTHETIC:-$corpus/pool/* $corpus/target/* $corpus/british/*})
speakers="$(ls -d "$folders"/train/*) $synthetic"
targets=$({ for f in "$folders"/targets/*; do echo "$folders/train/$(basename "$f")"; done; echo "$synthetic"; } | quoted)
favourites=$(echo "$synthetic" | { grep -E "/(target|british)/" || true; } | quoted)
common=(threads="${THREADS:-1}" precision="${PRECISION:-bf16-mixed}")
pretrain() { # RUN STEPS [key=value ...]
    $python recipes/train_pretrained.py "$1" $speakers --steps "$2" $(resume "$1") "${common[@]}" \
        "targets=[$targets]" "favourites=[$favourites]" corrupted=0.4 n_frames=128 snapshot_every=1000 "${@:3}"
}

if stage 1; then
    $python recipes/train_speaker_encoder.py "$encoder" $speakers threads=1 $(resume "$encoder")
fi
if stage 2; then
    pretrain "$reading" "${READING_STEPS:-20000}" "encoder=$encoder/speaker_encoder.safetensors" favourite_share=0.4 \
        adversarial_a=0 adversarial_b=0 cycle_a=0 cycle_b=0 generator_lr=7e-4 batch_size=6 "${@:4}"
fi
if stage 3; then
    pretrain "$run" "${STEPS:-5000}" "pretrained=$reading/pretrained.safetensors" favourite_share=0.3 \
        perturbed_source=0.2 adversarial_b=4 generator_lr=2e-4 "${@:4}"
fi
