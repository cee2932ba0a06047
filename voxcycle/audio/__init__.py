"""Audio in and out, mel analysis, pitch, statistics, perturbation."""
