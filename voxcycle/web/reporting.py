"""Jobs that look at recordings before a training: what would be kept, what dropped, and why."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxcycle.runtime.session import count_threads
from voxcycle.web.children import run_child
from voxcycle.web.fields import take_ids
from voxcycle.web.jobs import Job, Lane
from voxcycle.web.kinds import Control, Plan
from voxcycle.web.settings import Refusal
from voxcycle.web.uploads import Uploads
from voxcycle.web.wording import count_recordings

SIDES = ("a", "b")
N_PICTURES = 4  # of clips that are drawn, a side
CHART = "report.png"


class Reporting:
    """Data reports on the recordings of one or two speakers; a `Kind`."""

    name = "report"
    lane: Lane = "long"
    is_public, survives, is_kept = True, False, False

    def __init__(self, uploads: Uploads) -> None:
        self.uploads = uploads

    def plan(self, body: Mapping[str, Any], folder: Path) -> Plan:
        """Check a request: uploads a and b, one of which may be empty."""
        ids = {side: take_ids(body, side, least=0) for side in SIDES}
        if not any(ids.values()):
            raise Refusal("a, b: recordings of at least one speaker are needed.")
        self.uploads.require_room(sum(self.uploads.get(i).bytes for i in (*ids["a"], *ids["b"])))
        names = {side: self._link(ids[side], folder / side) for side in SIDES}
        n_files = sum(map(len, ids.values()))
        return Plan(f"look at {count_recordings(n_files)}", {**ids, "names": names})

    def _link(self, ids: list[str], folder: Path) -> list[str]:
        return self.uploads.link(ids, folder) if ids else []

    def run(self, job: Job, control: Control) -> dict[str, Any]:
        """Cut and screen in a child; the sides come one after the other."""
        sides: dict[str, Any] = {}

        def take(event: dict[str, Any]) -> None:
            sides[event["side"]] = event["found"]
            control.publish({"sides": dict(sides)})

        task = {
            "work": "report",
            "is_long": True,
            "folder": str(control.folder),
            "names": job.options["names"],
            "threads": count_threads(),
        }
        run_child(task, control, take, job.options["names"])
        return {"sides": sides}

    def actions(self, job: Job) -> list[str]:
        """A report that failed or was stopped may be tried again."""
        return ["resume"] if job.status in ("failed", "stopped") else []

    def describe(self, job: Job) -> dict[str, Any]:
        """Return the sides with the addresses of clips and pictures."""
        sides = {}
        for side, found in job.result["sides"].items():
            place = f"/api/jobs/{job.id}/clips/{side}"
            kept = [
                {k: v for k, v in clip.items() if k != "file"} | {"audio": f"{place}/{n}/audio"}
                for n, clip in enumerate(found["kept"])
            ]
            shown = range(min(N_PICTURES, len(kept)))
            sides[side] = found | {
                "kept": kept,
                "pictures": [f"{place}/{n}/picture" for n in shown],
                "chart": f"{place}/chart" if kept else None,
            }
        return {"sides": sides}
