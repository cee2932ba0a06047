#!/usr/bin/env bash
# Fetch the real recordings; decode 40 clips of each speaker and five minutes to train on.
# Usage: fetch.sh DIR   (needs apt-get, dpkg-deb, and python with voxcycle[eval]; about 60 MB)
set -euo pipefail
dir=${1:?usage: fetch.sh DIR}
here=$(cd "$(dirname "$0")" && pwd)
python=$(command -v "${PYTHON:-python3}")
case $python in /*) ;; *) python=$PWD/$python ;; esac
mkdir -p "$dir/download"
cd "$dir/download"
for package in asterisk-core-sounds-en-g722 asterisk-core-sounds-it-g722 \
    asterisk-core-sounds-ru-g722 fillets-ng-data-nl; do
    if ! ls "$package"_*.deb >/dev/null 2>&1; then
        apt-get download "$package"
    fi
    dpkg-deb -x "$package"_*.deb .
done
"$python" "$here/decode.py" "$PWD" "$(dirname "$PWD")"
