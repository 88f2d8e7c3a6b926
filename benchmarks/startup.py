"""How long the command line takes to answer: ``babelens --help`` against Python itself doing nothing."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

LIMIT = 0.2  # seconds; what the project promises for --help

COMMANDS: dict[str, Sequence[str]] = {
    "python (nothing)": ["-c", "pass"],
    "import babelens": ["-c", "import babelens"],
    "babelens --help": ["-m", "babelens", "--help"],
    "babelens search --help": ["-m", "babelens", "search", "--help"],
    "babelens models": ["-m", "babelens", "models"],
}


def seconds(arguments: Sequence[str], repeats: int) -> list[float]:
    """Wall clock of whole processes, sorted; the first, which fills caches, is left out."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - start)
    return sorted(times[1:])


def run(quick: bool) -> dict[str, float]:
    """Prints a table; returns the median seconds by command."""
    repeats = 5 if quick else 25
    medians = {}
    print(f"{'command':<24}{'median ms':>10}{'best ms':>10}{'× python':>10}")
    for name, arguments in COMMANDS.items():
        times = seconds(arguments, repeats)
        medians[name] = statistics.median(times)
        ratio = medians[name] / medians["python (nothing)"]
        print(f"{name:<24}{medians[name] * 1000:>10.0f}{times[0] * 1000:>10.0f}{ratio:>10.1f}")
    verdict = "within" if medians["babelens --help"] < LIMIT else "OVER"
    print(f"--help: {verdict} the limit of {LIMIT * 1000:.0f} ms")
    return medians


if __name__ == "__main__":
    run(quick="--quick" in sys.argv)
