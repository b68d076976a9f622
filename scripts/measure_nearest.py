"""How long it takes to find the bottlenecks that are most like one, among very many that are in memory.

.venv/bin/python scripts/measure_nearest.py
"""

import statistics
import time

import click
import numpy as np

from retrain.bottlenecks.nearest import nearest


@click.command()
@click.option("--rows", default=1_000_000, show_default=True)
@click.option("--dim", default=1280, show_default=True)
@click.option("--asked", default=1, show_default=True, help="How many are asked about at once.")
@click.option("--times", default=5, show_default=True)
def main(rows: int, dim: int, asked: int, times: int) -> None:
    """Say the median of several times, after a first one."""
    random = np.random.default_rng(0)
    matrix = np.empty((rows, dim), np.float32)
    for start in range(0, rows, 10_000):
        random.standard_normal(dtype=np.float32, out=matrix[start : start + 10_000])
    seconds = []
    for _ in range(times + 1):
        began = time.perf_counter()
        found = nearest(matrix, matrix[:asked])
        seconds.append(time.perf_counter() - began)
        assert found.rows[:, 0].tolist() == list(range(asked))
    middle = statistics.median(seconds[1:])
    print(f"{rows:,} x {dim}, {asked} asked: {middle:.2f} s ({min(seconds):.2f} to {max(seconds):.2f})")


if __name__ == "__main__":
    main()
