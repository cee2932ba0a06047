#!/usr/bin/env bash
# A synthetic pair, woman and man, five minutes each, trained for MINUTES (15), parallel test sentences.
#
#   egs/kokoro_pair/run.sh [first stage] [last stage]
#
# 1 fetch     voice styles and sentences (npm, apt)
# 2 read      let Kokoro-82M read for both speakers
# 3 train     both directions
# 4 evaluate  both directions: REPORTS/<voice>/report.html and metrics.json
# Needs: pip install -e ".[kokoro,eval]"
set -euo pipefail
cd "$(dirname "$0")/../.."
first=${1:-1} last=${2:-4}
corpus=${CORPUS:-$HOME/.cache/voxcycle/kokoro}
run=${RUN:-$HOME/.cache/voxcycle/runs/kokoro_pair}
reports=${REPORTS:-$run/reports}
minutes=${MINUTES:-15}
python=${PYTHON:-.venv/bin/python}
stage() { [ "$first" -le "$1" ] && [ "$1" -le "$last" ]; }

if stage 1; then bash egs/kokoro/fetch.sh "$corpus"; fi
if stage 2; then $python egs/kokoro/synthesize.py "$corpus" --roles pair; fi
if stage 3; then
    resume=$([ -e "$run/last.ckpt" ] && echo --resume || true)
    $python -m voxcycle train --a "$corpus/pair/af_kore" --b "$corpus/pair/am_liam" \
        --name-a kore --name-b liam --sex-a woman --sex-b man --language en --licence Apache-2.0 \
        --consent "synthetic speakers (Kokoro-82M); no recordings of a person" \
        --minutes "$minutes" --out "$run" --no-add $resume
fi
if stage 4; then
    for direction in af_kore:am_liam:liam am_liam:af_kore:kore; do
        IFS=: read -r source target voice <<<"$direction"
        $python -m voxcycle evaluate --voice "$run/$voice.safetensors" \
            --source "$corpus/eval/$source" --target "$corpus/valid/$target" \
            --parallel "$corpus/eval/$target" -o "$reports/$voice"
    done
fi
