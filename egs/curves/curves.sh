#!/usr/bin/env bash
# Quality against training time: an hour of each pair and start, a quarter of an hour with more or less
# speech and by kind of sound; JOBS trainings (2) at a time, three hours. Finished marks are kept; started ones go on.
# Needs: pip install -e ".[kokoro,eval]", egs/kokoro_pair/run.sh 1 2, egs/fillets_nl/run.sh 1 2
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${OUT:-$HOME/.cache/voxcycle/runs/curves}
dutch=$HOME/.cache/voxcycle/fillets_nl
python=${PYTHON:-.venv/bin/python}
export OMP_NUM_THREADS=1

for minutes in 2 10; do
    [ -e "$dutch-$minutes" ] ||
        $python egs/fillets_nl/prepare.py "$dutch/download" "$dutch-$minutes" "$minutes"
done
[ -e "$out/steps.json" ] || $python egs/curves/curve.py "$out" probe
printf '%s\n' "kokoro-base 60" "dutch-base 60" "kokoro-scratch 60" "dutch-scratch 60" \
    "dutch-2-minutes 15" "dutch-10-minutes 15" "dutch-rare-sounds 15" |
    xargs -P "${JOBS:-2}" -L 1 $python egs/curves/curve.py "$out" train
$python egs/curves/curve.py "$out" report
