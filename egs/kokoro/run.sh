#!/usr/bin/env bash
# From nothing to the shipped voices and the vocoder, in resumable stages.
#
#   egs/kokoro/run.sh [first stage] [last stage]
#
# Stage 3 needs the pretrained networks of egs/real/pretrain.sh, and REAL_SPEECH as it does; stage 6 its folders.
#
# 1 fetch   voice styles and sentences (npm, apt)
# 2 read    let Kokoro-82M read the corpus, a quarter of an hour to 40 minutes on two cores
# 3 train   the voices VOICES (heart michael emma george) from the pretrained networks, on real and synthetic sources,
#           JOBS (2) at a time, one thread each, a quarter of an hour each; STEPS replaces their own numbers;
#           POOL=wide takes a wider synthetic pool (read it first: egs/kokoro/synthesize.py CORPUS --roles wide)
# 4 score   evaluation speakers and real speech, into results/voice-NAME.json and voice-NAME-real.json; run once per row
#           of RESULTS.md
# 5 ship    write the scores into the voices and copy them into the package
# 6 vocoder continue the training of the packaged vocoder "fast", also on conversions of synthetic and real people by
#           VOICES, and copy it into the package: VOCODER_STEPS (28000), two and a half hours of one thread
# 7 listen  score it in copy synthesis, evaluation speakers and real speech
# Needs: pip install -e ".[kokoro,eval]"
set -euo pipefail
cd "$(dirname "$0")/../.."
first=${1:-1} last=${2:-5}
corpus=${CORPUS:-$HOME/.cache/voxcycle/kokoro}
runs=${RUNS:-$HOME/.cache/voxcycle/runs}
real=${REAL:-$HOME/.cache/voxcycle/real}
voices=${VOICES:-heart michael emma george}
folders=${FOLDERS:-$HOME/.cache/voxcycle/real-speech} # of egs/real/link.py
pool=$runs/sources
python=${PYTHON:-.venv/bin/python}
stage() { [ "$first" -le "$1" ] && [ "$1" -le "$last" ]; }

if stage 1; then bash egs/kokoro/fetch.sh "$corpus"; fi
if stage 2; then $python egs/kokoro/synthesize.py "$corpus" --roles target pool valid foreign eval british; fi
# voice NAME: the speaker's folder in the corpus, sex, seed, and the chosen settings: steps, pretrained_share,
# formant_postfilter.
voice() {
    case $1 in
        heart) echo target/af_heart woman 1 1200 0.5 0 ;;
        michael) echo target/am_michael man 2 1200 0.5 0 ;;
        emma) echo british/bf_emma woman 3 1200 0.5 0 ;;
        george) echo british/bm_george man 4 1200 0.5 0 ;;
        *) echo "$1: no such voice" >&2 && return 1 ;;
    esac
}
train() {
    local name=$1 place folder sex seed steps share postfilter
    place=$(voice "$name")
    read -r folder sex seed steps share postfilter <<<"$place"
    $python -m voxcycle train --config egs/kokoro/voice.yaml --a "$pool" \
        --b "$corpus/$folder" --out "$runs/$name" --steps "${STEPS:-$steps}" --no-add \
        $([ -e "$runs/$name/last.ckpt" ] && echo --resume || true) name_b="$name" sex_b="$sex" \
        seed="$seed" pretrained_share="$share" formant_postfilter="$postfilter" \
        "consent=synthetic speaker (Kokoro-82M ${folder#*/})"
}
if stage 3; then
    $python egs/real/link.py "${REAL_SPEECH:?set it to the folder of real speech}" "$folders"
    mkdir -p "$pool"
    ln -sfn "$corpus/${POOL:-pool}"/* "$folders"/train/* "$pool"
    export -f train voice
    export pool corpus runs python OMP_NUM_THREADS=1
    printf '%s\n' $voices | xargs -P "${JOBS:-2}" -I NAME bash -euc 'train NAME'
fi
if stage 4; then
    PYTHON=$python bash egs/real/fetch.sh "$real"
    for name in $voices; do
        path=$runs/$name/$name
        place=$(voice "$name")
        read -r folder _ <<<"$place"
        $python egs/kokoro/evaluate_kokoro.py --voice "$path.safetensors" --target "${folder#*/}" \
            --split eval --corpus "$corpus" --json "$path.json" --result "results/voice-$name.json"
        $python egs/kokoro/evaluate_kokoro.py --voice "$path.safetensors" --target "${folder#*/}" \
            --real "$real" --corpus "$corpus" --json "$path-real.json" --result "results/voice-$name-real.json"
    done
fi
if stage 5; then
    for name in $voices; do
        $python egs/kokoro/ship.py "$runs/$name/$name.safetensors" "$runs/$name/$name.json"
    done
fi
if stage 6; then
    resume=$([ -e "$runs/vocoder/last.ckpt" ] && echo --resume || true)
    sources=$(ls -d "$folders"/train/* "$corpus"/{target,british}/* | sed 's/.*/"&"/' | paste -sd,)
    $python recipes/train_vocoder.py "$runs/vocoder" "$corpus"/{target,british}/* \
        $(printf -- '--voice %s ' $voices) "sources=[$sources]" n_conversions=94 $resume \
        --steps "${VOCODER_STEPS:-28000}" start=voxcycle/vocoders/fast.safetensors \
        generator_lr=1e-4 discriminator_lr=1e-3 batch_size=4 discriminators_per_step=2 \
        discriminator_width=16 period_width=16 converted_share=0.6 feature_matching=4 spectral_convergence=0 \
        log_magnitude=0 falling=0.4 precision=bf16-mixed threads=1 snapshot_every=1000
    $python egs/kokoro/ship_vocoder.py "$runs/vocoder/vocoder.safetensors"
fi
if stage 7; then
    PYTHON=$python bash egs/real/fetch.sh "$real"
    $python egs/kokoro/copy_synthesis.py --corpus "$corpus" --split eval --real "$real" \
        hifigan fast griffin-lim
fi
