#!/usr/bin/env bash
# Train from a pack on a machine without network, for some minutes, and keep what comes out.
#
#   recipes/run_packed.sh vocoder|pretrained PACK MINUTES OUT [key=value ...]
#
# OUT receives the averaged weights and the losses every 20 s, and config.yaml and train.txt, what the training printed.
# RUN (runs/packed) is the run's folder: if it holds a checkpoint, that run goes on.
# WHEELS (none) is a folder of packages to use, as pack_training.py --wheels fetches them. PYTHON (python3) runs all.
set -euo pipefail
usage="usage: run_packed.sh vocoder|pretrained PACK MINUTES OUT [key=value ...]"
training=${1:?$usage} pack=${2:?$usage} minutes=${3:?$usage} out=${4:?$usage}
here=$(cd "$(dirname "$0")/.." && pwd) run=${RUN:-runs/packed-$training} python=${PYTHON:-python3}
mkdir -p "$out" "$run"
packages=$(mktemp -d)
trap 'rm -rf "$packages"' EXIT
if [ -n "${WHEELS:-}" ]; then
    "$python" -m pip install --quiet --no-index --no-deps --target "$packages" "$WHEELS"/*.whl
fi
export PYTHONPATH=$packages:$here${PYTHONPATH:+:$PYTHONPATH} VOXCYCLE_TRACEBACK=1
keep() {
    for file in "$run/$training.safetensors" "$run/log.jsonl" "$run/config.yaml"; do
        if [ -e "$file" ]; then cp "$file" "$out/.part" && mv "$out/.part" "$out/$(basename "$file")"; fi
    done
}
# A machine may end this script at any time: what is there by then is in OUT.
while sleep 20; do keep; done </dev/null >/dev/null 2>&1 & # its sleep outlives it, and holds no pipe
keeper=$!
trap 'kill $keeper; keep; rm -rf "$packages"' EXIT
"$python" "$here/recipes/train_$training.py" "$run" --pack "$pack" \
    $([ -e "$run/last.ckpt" ] && echo --resume || true) "time_limit_min=$minutes" "${@:5}" 2>&1 | tee -a "$out/train.txt"
