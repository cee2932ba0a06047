#!/usr/bin/env bash
# The ablation of the method on the pair, after stages 1 and 2 of run.sh: two hours, JOBS trainings (2) at a time.
# Finished trainings are kept; started ones go on.
set -euo pipefail
cd "$(dirname "$0")/../.."
corpus=${CORPUS:-$HOME/.cache/voxcycle/kokoro}
out=${OUT:-$HOME/.cache/voxcycle/runs/ablation}
python=${PYTHON:-.venv/bin/python}
export OMP_NUM_THREADS=1

[ -e "$out/steps.json" ] || $python egs/kokoro_pair/ablate.py "$corpus" "$out" probe
for run in "ours 0" "ours 1" "ours 2" "plain-identity 0" "no-f0 0" "no-adversarial 0" "no-cycle 0" \
    "no-masks 0" "blind-judges 0" "two-step 0" "published-losses 0"; do
    [ -e "$out/${run/ /-}/kore.json" ] || echo "$run"
done | xargs -P "${JOBS:-2}" -L 1 $python egs/kokoro_pair/ablate.py "$corpus" "$out" train
$python egs/kokoro_pair/ablate.py "$corpus" "$out" report
