#!/usr/bin/env bash
# From nothing to the shipped voices heart and michael and the vocoder, in resumable stages.
#
#   egs/kokoro/run.sh [first stage] [last stage]
#
# 1 fetch   voice styles and sentences (npm, apt)
# 2 read    let Kokoro-82M read the corpus, a quarter of an hour to 40 minutes on two cores
# 3 train   both voices side by side, one thread each (HEART_STEPS, MICHAEL_STEPS)
# 4 score   evaluation speakers and real speech; run once per row of RESULTS.md
# 5 ship    write the scores on the voices and put them into the package
# 6 vocoder train the vocoder "fast" with the shipped voices' help, and put it into the package: ten
#           minutes of one H100; DEVICE=cpu, where there is no GPU, takes many times as long
# 7 listen  score it in copy synthesis, evaluation speakers and real speech
# 8 base    train the base on all speakers but those of tests and pairs, and put it into the package:
#           BASE_STEPS (10000), an hour of one thread
# Needs: pip install -e ".[kokoro,eval]"
set -euo pipefail
cd "$(dirname "$0")/../.."
first=${1:-1} last=${2:-5}
corpus=${CORPUS:-$HOME/.cache/voxcycle/kokoro}
runs=${RUNS:-$HOME/.cache/voxcycle/runs}
real=${REAL:-$HOME/.cache/voxcycle/real}
heart_steps=${HEART_STEPS:-10000} michael_steps=${MICHAEL_STEPS:-16000}
python=${PYTHON:-.venv/bin/python}
stage() { [ "$first" -le "$1" ] && [ "$1" -le "$last" ]; }

if stage 1; then bash egs/kokoro/fetch.sh "$corpus"; fi
if stage 2; then $python egs/kokoro/synthesize.py "$corpus" --roles target pool valid eval british; fi
# train NAME SPEAKER RUN STEPS [setting...]
train() {
    local name=$1 speaker=$2 run=$3 steps=$4
    shift 4
    local resume=$([ -e "$runs/$run/last.ckpt" ] && echo --resume || true)
    $python -m voxcycle train --config "egs/kokoro/$name.yaml" --a "$corpus/pool" \
        --b "$corpus/target/$speaker" --out "$runs/$run" --steps "$steps" --no-add $resume \
        samples=0 "$@"
}
if stage 3; then
    set -m  # every job is a group: stopping this script stops what the jobs have started
    pids=()
    train heart af_heart heart "$heart_steps" &
    pids+=($!)
    # Two more runs, each from the networks of the one before, for the words: formants stay where
    # they are, then sources are taken as they are and the cycle weighs more.
    { train michael am_michael michael "$michael_steps" &&
        train michael am_michael michael-vowels $((michael_steps + 2500)) \
            start="$runs/michael/last.ckpt" cycle_a=2 identity_b=15 bends_bands=false &&
        train michael am_michael michael-words $((michael_steps + 8000)) \
            start="$runs/michael-vowels/last.ckpt" \
            cycle_a=4 identity_b=15 bends_bands=false perturbed_source=0; } &
    pids+=($!)
    trap 'kill -- "${pids[@]/#/-}" 2>/dev/null || true' EXIT
    for pid in "${pids[@]}"; do wait "$pid"; done
    trap - EXIT
    set +m
fi
if stage 4; then
    PYTHON=$python bash egs/real/fetch.sh "$real"
    for voice in heart/heart:af_heart michael-words/michael:am_michael; do
        path=$runs/${voice%%:*} speaker=${voice##*:}
        $python egs/kokoro/evaluate.py --voice "$path.safetensors" --target "$speaker" \
            --split eval --corpus "$corpus" --json "$path.json"
        $python egs/real/evaluate.py --voice "$path.safetensors" --target "$speaker" \
            --real "$real" --corpus "$corpus" --json "$path-real.json"
    done
fi
if stage 5; then
    for path in heart/heart michael-words/michael; do
        $python egs/kokoro/ship.py "$runs/$path.safetensors" "$runs/$path.json"
    done
fi
if stage 6; then
    resume=$([ -e "$runs/vocoder/last.ckpt" ] && echo --resume || true)
    $python recipes/vocoder.py "$runs/vocoder" "$corpus"/pool/* "$corpus"/target/* $resume \
        --voice heart="$corpus/target/af_heart" --voice michael="$corpus/target/am_michael" \
        --steps "${VOCODER_STEPS:-6000}" device="${DEVICE:-cuda}" workers=2 converted_share=0.25
    $python egs/kokoro/ship_vocoder.py "$runs/vocoder/vocoder.safetensors"
fi
if stage 7; then
    PYTHON=$python bash egs/real/fetch.sh "$real"
    $python egs/kokoro/copy_synthesis.py --corpus "$corpus" --split eval --real "$real" \
        --json "$runs/copy_synthesis.json" hifigan fast griffin-lim
fi
if stage 8; then
    PYTHON=$python bash egs/real/fetch.sh "$real"
    resume=$([ -e "$runs/base/last.ckpt" ] && echo --resume || true)
    $python recipes/base.py "$runs/base" "$corpus"/{pool,target,british}/* \
        "$real/train/russian_woman" --steps "${BASE_STEPS:-10000}" $resume \
        threads=1 perturbed_source=0.3 snapshot_every=2500
    cp "$runs/base/base.safetensors" voxcycle/training/
fi
