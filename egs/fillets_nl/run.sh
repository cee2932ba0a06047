#!/usr/bin/env bash
# A pair of your own: a Dutch woman and man, five minutes each, trained for MINUTES (15).
#
#   egs/fillets_nl/run.sh [first stage] [last stage]
#
# 1 fetch     the recordings of the game Fish Fillets NG (apt, GPL-2: for your own use)
# 2 choose    five minutes of each to train on, 20 other clips to score
# 3 train     both directions
# 4 evaluate  both directions: REPORTS/<voice>/report.html and metrics.json
# Needs: pip install -e ".[eval]"
set -euo pipefail
cd "$(dirname "$0")/../.."
first=${1:-1} last=${2:-4}
data=${DATA:-$HOME/.cache/voxcycle/fillets_nl}
reports=${REPORTS:-$data/reports}
minutes=${MINUTES:-15}
python=${PYTHON:-.venv/bin/python}
stage() { [ "$first" -le "$1" ] && [ "$1" -le "$last" ]; }

if stage 1; then
    mkdir -p "$data/download"
    (cd "$data/download" && apt-get download fillets-ng-data-nl && dpkg-deb -x fillets-ng-data-nl_*.deb .)
fi
if stage 2; then $python egs/fillets_nl/prepare.py "$data/download" "$data"; fi
if stage 3; then
    resume=$([ -e "$data/run/last.ckpt" ] && echo --resume || true)
    $python -m voxcycle train --a "$data/train/woman" --b "$data/train/man" \
        --name-a dutch_woman --name-b dutch_man --sex-a woman --sex-b man --language nl \
        --licence GPL-2.0 --minutes "$minutes" --out "$data/run" --no-add $resume
fi
if stage 4; then
    for direction in woman:man man:woman; do
        IFS=: read -r source target <<<"$direction"
        $python -m voxcycle evaluate --voice "$data/run/dutch_$target.safetensors" --language nl \
            --source "$data/test/$source" --target "$data/test/$target" -o "$reports/dutch_$target"
    done
fi
