"""The container image without a container: the steps of the Dockerfile, run in a folder that stands for its root.

What the Dockerfile says is read from it and never repeated here. Paths of the image are moved below the folder, and
everything in it but the folders to write to is closed, as under a read-only root; where the tests are run by root, the
image's processes lose all capabilities, so that it is closed to them too. What needs a root of its own (making users,
installing packages of the system) is left out.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

REPOSITORY: Final = Path(__file__).parents[1]
WRITABLE: Final = ("data", "cache", "tmp")
_FOLDERS: Final = ("build", "opt", "pictures", *WRITABLE)
_HOME: Final = "nonexistent"
_PATHS: Final = re.compile(rf"(?<![\w./-])/(?=(?:{'|'.join((*_FOLDERS, _HOME))})\b)")
_POWERLESS: Final = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
# What pip needs to reach a registry.
_PASSED_ON: Final = re.compile(r"PIP_\w+|PATH|HOME|SSL_CERT_\w+|\w+_PROXY|\w+_proxy")


def stages(path: Path = REPOSITORY / "Dockerfile") -> list[list[tuple[str, str]]]:
    """The instructions of a Dockerfile and what follows them, by stage."""
    text = re.sub(r"^#.*\n", "", path.read_text("utf-8"), flags=re.MULTILINE)
    found: list[list[tuple[str, str]]] = []
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if line.strip():
            instruction, rest = line.split(maxsplit=1)
            if instruction == "FROM":
                found.append([])
            found[-1].append((instruction, rest))
    return found


class Image:
    """What a Dockerfile makes, below ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.build, self.final = stages()
        for name in _FOLDERS:
            (root / name).mkdir()

    # -- what the Dockerfile says --------------------------------------------------------------------------

    def only(self, instruction: str) -> str:
        """What follows the only such instruction of the last stage."""
        (rest,) = (rest for name, rest in self.final if name == instruction)
        return rest

    @property
    def health(self) -> list[str]:
        """The command that tells whether the service is well."""
        found: list[str] = json.loads(self.only("HEALTHCHECK").split(" CMD ", 1)[1])
        return found

    def command(self, *arguments: str) -> list[str]:
        """What the image runs: its own command, or with other arguments."""
        entry: list[str] = json.loads(self.only("ENTRYPOINT"))
        return [*entry, *(arguments or json.loads(self.only("CMD")))]

    @property
    def environment(self) -> dict[str, str]:
        """What processes in the image find; the user's home is not there."""
        found = {"PATH": "/usr/bin:/bin", "HOME": f"/{_HOME}", "TMPDIR": "/tmp"}
        _set_variables([one for one in self.final if one[0] == "ENV"], found)
        return {name: self.here(value) for name, value in found.items()}

    def here(self, text: str) -> str:
        """A text with the image's paths moved below the root."""
        return _PATHS.sub(f"{self.root}/", text)

    # -- making it -----------------------------------------------------------------------------------------

    def install(self) -> None:
        """Runs the steps of the first stage, with pip's settings of this machine."""
        given = {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)}
        given["PATH"] = f"{Path(sys.executable).parent}:{given['PATH']}"
        folder = self.root
        variables: dict[str, str] = {}
        for instruction, rest in self.build:
            if instruction == "WORKDIR":
                folder = Path(self.here(rest))
            elif instruction == "COPY":
                *names, target = rest.split()
                self._copy(names, folder / target)
            elif instruction == "RUN":
                done = subprocess.run(
                    ["/bin/sh", "-ec", self.here(rest)],
                    cwd=folder,
                    env={**variables, **given},
                    capture_output=True,
                    text=True,
                )
                assert done.returncode == 0, f"{rest}\n{done.stdout}{done.stderr}"
            else:
                _set_variables([(instruction, rest)], variables)
        shutil.rmtree(self.root / "build")

    def _copy(self, names: Sequence[str], target: Path) -> None:
        """Without compiled files, as ``.dockerignore`` says."""
        for name in names:
            source = REPOSITORY / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            else:
                shutil.copy(source, target)

    # -- running it ----------------------------------------------------------------------------------------

    def close(self) -> None:
        """Takes the right to write away, except to the folders that are meant for it."""
        for path in self._kept():
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & ~0o222)

    def reopen(self) -> None:
        """Lets everything be deleted again."""
        for path in self._kept():
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)

    def process(self, command: Sequence[str], variables: Mapping[str, str] = {}) -> dict[str, Any]:
        """The arguments of :class:`subprocess.Popen` for a process in the image."""
        return {
            "args": [*(_POWERLESS if os.geteuid() == 0 else ()), *map(self.here, command)],
            "env": {**self.environment, **variables},
            "cwd": self.here(self.only("WORKDIR")),
        }

    def state(self) -> dict[str, tuple[int, int]]:
        """Everything that no process may change, with size and time of change."""
        found = {}
        for path in self._kept():
            status = path.lstat()
            found[str(path.relative_to(self.root))] = (status.st_size, status.st_mtime_ns)
        return found

    def _kept(self) -> list[Path]:
        """The root and all below it that is not written to."""
        inner = [path for path in self.root.iterdir() if path.name not in WRITABLE]
        return [self.root, *inner, *(found for path in inner for found in path.rglob("*"))]


def _set_variables(instructions: Sequence[tuple[str, str]], variables: dict[str, str]) -> None:
    """Does what ``ENV`` and ``ARG`` do."""
    for instruction, rest in instructions:
        if instruction in ("ENV", "ARG"):
            for name, value in re.findall(r'(\w+)=("[^"]*"|\S*)', rest):
                variables[name] = re.sub(r"\$(\w+)", lambda one: variables[one[1]], value.strip('"'))
