"""Speed against plain references, as ratios in one run: ``python -m benchmarks``."""
