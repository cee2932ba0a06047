#!/usr/bin/env bash
# What each part of the vocoder is worth: short trainings by the spectral losses alone, from scratch, of equal steps;
# scored in copy synthesis of the validation speakers. Eight minutes of one thread each; what is finished is kept,
# started ones go on.
# STEPS (1500), and LIMIT (10) sentences of each speaker. Needs: egs/kokoro/run.sh 1 2
set -euo pipefail
cd "$(dirname "$0")/../.."
corpus=${CORPUS:-$HOME/.cache/voxcycle/kokoro}
runs=${RUNS:-$HOME/.cache/voxcycle/runs/ablate_vocoder}
python=${PYTHON:-.venv/bin/python}
export OMP_NUM_THREADS=1
declare -A settings=(
    [all]=""
    [no-prior]="has_prior=false"
    [no-phase]="has_phase=false"
    [no-puffs]="has_puffs=false"
    [sees-source]="sees_source=true"
)
order="all no-prior no-phase no-puffs sees-source"
for name in $order; do
    [ -e "$runs/$name/vocoder.safetensors" ] && continue
    resume=$([ -e "$runs/$name/last.ckpt" ] && echo --resume || true)
    # shellcheck disable=SC2086
    $python recipes/train_vocoder.py "$runs/$name" "$corpus"/{pool,target}/* $resume --steps "${STEPS:-1500}" \
        threads=1 batch_size=8 n_frames=64 discriminator_width=0 period_width=0 ${settings[$name]}
done
# shellcheck disable=SC2046
$python egs/kokoro/copy_synthesis.py $(printf "$runs/%s/vocoder.safetensors " $order) \
    --corpus "$corpus" --limit "${LIMIT:-10}" --metrics distillmos pitch
