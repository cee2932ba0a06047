"""Running the phases of a method: loop, checkpoints, configs; knows no domain."""
