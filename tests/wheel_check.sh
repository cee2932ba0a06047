#!/usr/bin/env bash
# Build the wheel, install it with its own dependencies outside the clone, convert and clone with it:
# is all of the package data there, and is PyTorch not needed?
# Usage: wheel_check.sh PYTHON   (whose environment builds the wheel)
set -euo pipefail
python=$(realpath --no-symlinks "${1:?usage: wheel_check.sh PYTHON}")
clone=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Twice, from copies in other folders, of another age and with other permissions: the files must be
# the same bit by bit. A build folder left in the clone could hide a file that is missing from it.
build() {
    mkdir -p "$work/$1/source"
    cp -r "$clone"/{pyproject.toml,README.md,LICENSE,NOTICE,CHANGELOG.md,CITATION.cff,SECURITY.md,voxcycle} \
        "$work/$1/source"
    find "$work/$1/source" -type f -exec touch -d "$2" {} + -exec chmod "$3" {} +
    (cd "$work/$1/source" && SOURCE_DATE_EPOCH=1700000000 "$python" -m hatchling build -d "$work/$1") \
        >"$work/$1.log" 2>&1 || { cat "$work/$1.log" && return 1; }
    rm -r "$work/$1/source"
}
build first 2020-01-01 644
build second 2021-02-03 600
(cd "$work/first" && sha256sum -- *) >"$work/SHA256SUMS"
(cd "$work/second" && sha256sum --check --strict --quiet "$work/SHA256SUMS")
echo "two builds are the same: $(tr '\n' ' ' <"$work/SHA256SUMS")"
mkdir "$work/elsewhere"
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --disable-pip-version-check --quiet "$work"/first/voxcycle-*.whl

cp "$clone/recipes/demo.flac" "$work/elsewhere/recording.flac"
cd "$work/elsewhere"
export VOXCYCLE_DATA="$work/data"
"$work/venv/bin/python" - "$work" "$clone" <<'PYTHON'
import importlib.util
import sys
from pathlib import Path

import voxcycle
from voxcycle.voices.library import list_voices

work, clone = map(Path, sys.argv[1:])
print(f"the wheel's package: {voxcycle.__file__}")
assert Path(voxcycle.__file__).is_relative_to(work), "imported from elsewhere than the wheel"
package = Path(voxcycle.__file__).parent
sounds = (".wav", ".flac", ".ogg", ".mp3", ".opus")
recordings = [p for p in package.rglob("*") if p.suffix in sounds]
assert recordings == [package / "web/demo.opus"], f"recordings in the package: {recordings}"
for unwanted in ("torch", "scipy", "librosa", "matplotlib"):
    assert importlib.util.find_spec(unwanted) is None, f"{unwanted} was installed"
expected = sorted(p.stem for p in (clone / "voxcycle/voices/embedded").glob("*.safetensors"))
found = [voice.name for voice in list_voices()]
assert found == expected, f"voices of the wheel {found}, of the clone {expected}"
Path("voices.txt").write_text("".join(f"{name}\n" for name in found))
PYTHON
"$work/venv/bin/voxcycle" doctor
while read -r name; do
    voice=$name
    "$work/venv/bin/voxcycle" convert recording.flac --to "$voice" -o "$voice.wav"
    test -s "$voice.wav"
done <voices.txt
mkdir recordings
cp recording.flac recordings
"$work/venv/bin/voxcycle" convert recordings --to "$voice" -o converted
test -s converted/recording.flac
mkdir someone # without the tags that say that they are conversions, of which no voice is made
"$work/venv/bin/python" -c "import soundfile as s
for n in 'heart', 'michael': s.write(f'someone/{n}.wav', *s.read(f'{n}.wav'))"
"$work/venv/bin/voxcycle" clone someone --name someone
"$work/venv/bin/voxcycle" convert recording.flac --to someone -o someone.wav
test -s someone.wav
echo "the wheel converts with its $(wc -l <voices.txt) voices"
