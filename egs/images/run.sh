#!/usr/bin/env bash
# The lecture: every system trained, measured and drawn, then one page of all.
#
#   egs/images/run.sh [first stage] [last stage]
#
# 1 fetch    images and what draws them (apt, npm, pip)
# 2 prepare  sets of images, three minutes
# 3 recipes  those without a result; failed bounds are listed at the end
# 4 page     docs/lecture/index.html
# Needs: pip install -e ".[images]"
set -euo pipefail
cd "$(dirname "$0")/../.."
first=${1:-1} last=${2:-4}
data=${DATA:-$HOME/.cache/voxcycle/lecture}
runs=${RUNS:-$data/runs}
python=${PYTHON:-.venv/bin/python}
stage() { [ "$first" -le "$1" ] && [ "$1" -le "$last" ]; }

if stage 1; then PYTHON=$python bash egs/images/fetch.sh "$data/download"; fi
if stage 2; then $python egs/images/prepare.py "$data/download" "$data"; fi
if stage 3; then
    for recipe in $(sed -n 's/^- recipe: //p' egs/images/systems.yaml); do
        [ -e "$runs/$recipe/result.json" ] && continue
        echo "== $recipe"
        $python "recipes/images/$recipe.py" "$data" "$runs" || true
    done
fi
if stage 4; then $python egs/images/page.py "$runs" docs/lecture; fi
if stage 3; then $python egs/images/page.py "$runs"; fi
