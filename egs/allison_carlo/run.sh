#!/usr/bin/env bash
# Two real speakers of two languages: Allison (English) and Carlo (Italian), five minutes each.
#
#   egs/allison_carlo/run.sh [first stage] [last stage]
#
# 1 fetch     the recordings (apt; CC-BY-SA-3.0 and CC-BY-3.0: for your own use)
# 2 train     both directions, MINUTES (15)
# 3 evaluate  both directions: REPORTS/<voice>/report.html and metrics.json
# Needs: pip install -e ".[eval]"
set -euo pipefail
cd "$(dirname "$0")/../.."
first=${1:-1} last=${2:-3}
real=${REAL:-$HOME/.cache/voxcycle/real}
run=${RUN:-$HOME/.cache/voxcycle/runs/allison_carlo}
reports=${REPORTS:-$run/reports}
minutes=${MINUTES:-15}
python=${PYTHON:-.venv/bin/python}
stage() { [ "$first" -le "$1" ] && [ "$1" -le "$last" ]; }

if stage 1; then PYTHON=$python bash egs/real/fetch.sh "$real"; fi
if stage 2; then
    resume=$([ -e "$run/last.ckpt" ] && echo --resume || true)
    $python -m voxcycle train --a "$real/train/allison" --b "$real/train/carlo" \
        --name-a allison --name-b carlo --sex-a woman --sex-b man --licence CC-BY-SA-3.0 \
        --minutes "$minutes" --out "$run" --no-add $resume
fi
if stage 3; then
    for direction in allison:carlo:en:it carlo:allison:it:en; do
        IFS=: read -r source target language target_language <<<"$direction"
        $python -m voxcycle evaluate --voice "$run/$target.safetensors" \
            --language "$language" --target-language "$target_language" \
            --source "$real/wavs/$source" --target "$real/wavs/$target" -o "$reports/$target"
    done
fi
