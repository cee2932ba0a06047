#!/usr/bin/env bash
# Stage 1: fetch what no pip extra brings: the Kokoro voice styles (npm) and the fortunes (apt).
# Usage: fetch.sh DIR   (needs npm, apt-get and dpkg-deb; about 30 MB)
set -euo pipefail
dir=${1:?usage: fetch.sh DIR}
mkdir -p "$dir/download"
cd "$dir/download"
if [ ! -d package/voices ]; then
    npm pack --silent kokoro-js@1.2.1
    tar xzf kokoro-js-1.2.1.tgz package/voices
fi
if [ ! -d usr/share/games/fortunes ]; then
    apt-get download fortunes fortunes-min
    for deb in fortunes*.deb; do dpkg-deb -x "$deb" .; done
fi
