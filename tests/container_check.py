"""Follow the Dockerfile without Docker, in an overlay of this machine that is thrown away.

Usage, as root on Linux: unshare --mount python tests/container_check.py [EXTRAS]

Instructions run in their order; this machine, without its users and their files, stands in for the
base image. Then the health check and a conversion run as the image's user, and a conversion as
another. With EXTRAS=web the page is served, and answers.
"""

import json
import os
import re
import shutil
import string
import subprocess
import sys
import tempfile
from pathlib import Path

from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).parents[1]
PYTHON = Path(sys._base_executable)
HIDDEN = ("home", "tmp", "recordings", "data", "source")  # of this machine, empty in the container
SERVE = """
voxcycle serve --host 0.0.0.0 --no-browser >/tmp/serve.txt 2>&1 &
for _ in $(seq 100); do grep -q token= /tmp/serve.txt && break; sleep 0.2; done
address=$(grep -o 'http[^ ]*' /tmp/serve.txt)
python -c 'import sys, urllib.request as r
host, _, token = sys.argv[1].partition("?token=")
asked = r.Request(host + "api/voices", headers={"Authorization": "Bearer " + token})
assert b"heart" in r.urlopen(asked).read()
asked.full_url = host
assert b"<title>" in r.urlopen(asked).read()' "$address"
kill $!
wait $! || test $? = 143
echo "the page answers"
"""
FIRST_USER = 1000  # ids below belong to the system


class Container:
    """A root folder with the environment, user and folder that instructions have set."""

    def __init__(self, root: Path) -> None:
        self.root, self.user, self.folder = root, "root", "/"
        self.environment = {"PATH": f"{PYTHON.parent}:/usr/bin:/bin:/usr/sbin", "HOME": "/root"}
        for parent in PYTHON.parents:  # a Python of root's, readable to all
            inside = root / parent.relative_to("/")
            inside.chmod(inside.stat().st_mode | 0o055)
        users = root / "etc/passwd"
        lines = users.read_text().splitlines(keepends=True)
        users.write_text("".join(line for line in lines if int(line.split(":")[2]) < FIRST_USER))

    def run(self, command: list[str]) -> None:
        """Run a command as the user, in the folder; raises where it fails."""
        variables = [f"{key}={value}" for key, value in self.environment.items()]
        enter = ["chroot", f"--userspec={self.user}", self.root, "env", "--ignore-environment"]
        subprocess.run([*enter, f"--chdir={self.folder}", *variables, *command], check=True)

    def follow(self, name: str, value: str) -> None:
        """Carry out one instruction."""
        if name == "ARG":
            key, _, default = value.partition("=")
            self.environment[key] = default.strip('"')
        elif name == "ENV":
            for key, text in re.findall(r"(\w+)=(\S+)", value):
                self.environment[key] = string.Template(text).substitute(self.environment)
        elif name == "WORKDIR":
            (self.root / value.lstrip("/")).mkdir(parents=True, exist_ok=True)
            self.folder = value
        elif name == "USER":
            self.user, self.environment["HOME"] = value, f"/home/{value}"
        elif name == "RUN":
            self.run(["sh", "-euc", value])
        elif name == "COPY" and not value.startswith("--from"):  # stages share the root
            *sources, target = value.split()
            for source in sources:
                inside = self.root / self.folder.lstrip("/") / target
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, inside)
                else:
                    shutil.copy(ROOT / source, inside)
        elif name == "FROM":
            self.environment = {k: v for k, v in self.environment.items() if k in ("PATH", "HOME")}
            self.user, self.folder = "root", "/"


def main() -> None:
    """Build, check and convert."""
    with (ROOT / "Dockerfile").open("rb") as file:
        steps = DockerfileParser(fileobj=file).structure
    place = Path(tempfile.mkdtemp())
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
    upper, work, root = (place / name for name in ("upper", "work", "root"))
    for folder in (upper, work, root):
        folder.mkdir()
    layers = f"lowerdir=/,upperdir={upper},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, root], check=True)
    for name in ("dev", "proc"):
        subprocess.run(["mount", "--rbind", f"/{name}", root / name], check=True)
    for name in HIDDEN:
        (root / name).mkdir(exist_ok=True)
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", root / name], check=True
        )
    container = Container(root)
    os.environ.clear()  # nothing of the caller's reaches the steps
    os.environ["PATH"] = "/usr/bin:/bin:/usr/sbin:/sbin"
    extras = sys.argv[1] if len(sys.argv) > 1 else ""
    words = {}
    for step in steps:
        name, value = step["instruction"], step["value"]
        if name != "COMMENT":
            print(f"{name} {value}", flush=True)
            container.follow(name, f'EXTRAS="{extras}"' if value.startswith("EXTRAS=") else value)
            words[name] = re.findall(r"\[.*\]", value)
    container.run(json.loads(words["HEALTHCHECK"][0]))
    shutil.copy(ROOT / "recipes/demo.flac", root / "recordings/talk.flac")
    (entry,) = json.loads(words["ENTRYPOINT"][0])
    container.run([entry, "convert", "talk.flac", "--to", "heart"])
    assert (root / "recordings/talk.heart.flac").stat().st_size > 10_000
    if "web" in extras:
        container.run(["sh", "-euc", SERVE])
    (root / "recordings").chmod(0o777)
    container.user, container.environment["HOME"] = "1234:0", "/"  # docker run --user 1234
    container.run([entry, "convert", "talk.flac", "--to", "george"])
    print("the container is healthy and converts")


if __name__ == "__main__":
    main()
