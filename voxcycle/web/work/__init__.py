"""Tasks of child processes: each module has `work(task, tell)`; `python -m voxcycle.web.work`."""
