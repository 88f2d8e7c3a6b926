"""``python -m benchmarks [NAME ...] [FOLDER ...] [--quick] [--cache DIR] [--largest N]``"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import pkgutil
import platform
import tempfile
from pathlib import Path
from typing import Any

import benchmarks


def main() -> None:
    names = sorted(
        module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "__main__"
    )
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=benchmarks.__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(names)}; all when none is named"
        "; and folders of your own, for those that take them",
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, a minute or two in all")
    parser.add_argument("--cache", type=Path, help="keep what is dear to make here for the next run")
    parser.add_argument(
        "--largest", type=int, default=1_000_000, help="leave out larger sizes (default: %(default)s)"
    )
    arguments = parser.parse_args()
    wanted = [name for name in arguments.names if name in names]
    others = [name for name in arguments.names if name not in names]
    folders = [Path(name) for name in others if Path(name).is_dir()]
    unknown = {name for name in others if not Path(name).is_dir()}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(names)}")
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, load {_load()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="babelens-bench-") as temporary:
        cache = arguments.cache or Path(temporary)
        cache.mkdir(parents=True, exist_ok=True)
        offered = {
            "quick": arguments.quick,
            "cache": cache,
            "largest": arguments.largest,
            "folders": folders,
        }
        for name in wanted or names:
            module: Any = importlib.import_module(f"benchmarks.{name}")
            print(f"\n## {name}: {(module.__doc__ or '').splitlines()[0]}\n", flush=True)
            taken = inspect.signature(module.run).parameters
            module.run(**{key: value for key, value in offered.items() if key in taken})


def _load() -> str:
    """Other work on the machine makes times longer: a run that is quoted starts near 0."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


if __name__ == "__main__":
    main()
