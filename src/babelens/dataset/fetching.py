"""Fetches data sets from the hubs where people's sets are: Hugging Face and Kaggle.

Credentials and caches follow the conventions of `huggingface_hub` (``HF_TOKEN``, ``HF_HOME``) and `kagglehub`
(``KAGGLE_API_TOKEN``, ``KAGGLE_USERNAME`` and ``KAGGLE_KEY``, ``~/.kaggle``, ``KAGGLEHUB_CACHE``).
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..errors import DatasetError, MissingExtraError, WeightsUnavailableError
from ..types import Progress
from .reading import captions_files_below

_SOURCE: Final = re.compile(r"(hf|kaggle):([A-Za-z0-9][\w.-]*/[\w.-]+)(?:@([\w./-]+))?")
_ARCHIVES: Final = frozenset({".zip", ".tar", ".gz", ".tgz", ".7z", ".parquet"})


@dataclass(frozen=True, slots=True)
class FetchReport:
    """``captions`` are the captions files found in ``folder``; ``packed`` files that have to be unpacked first."""

    source: str
    folder: Path
    files: int
    bytes: int
    captions: tuple[Path, ...]
    packed: tuple[Path, ...]


def fetch(
    source: str,
    *,
    progress: Progress | None = None,
    endpoint: str | None = None,
    cache_dir: Path | None = None,
) -> FetchReport:
    """Fetches ``hf:OWNER/NAME[@REVISION]`` or ``kaggle:OWNER/NAME[@VERSION]`` into the hub's own cache.

    What is there already is not fetched again; large files go on where an interrupted download stopped; content is
    compared with the hub's checksums. ``endpoint`` and ``cache_dir`` are for Hugging Face. Raises
    :class:`DatasetError` when it cannot be had, and :class:`MissingExtraError` without `kagglehub`.
    """
    match = _SOURCE.fullmatch(source)
    if not match:
        raise DatasetError(
            f"{source!r} does not name a data set of a hub.",
            hint="Write hf:OWNER/NAME, hf:OWNER/NAME@REVISION, kaggle:OWNER/NAME or kaggle:OWNER/NAME@VERSION.",
        )
    hub, name, revision = match[1], match[2], match[3] or ""
    if hub == "hf":
        folder = _from_hugging_face(name, revision, progress, endpoint, cache_dir)
    else:
        folder = _from_kaggle(name, revision)
    files = [path for path in folder.rglob("*") if path.is_file()]
    return FetchReport(
        source=source,
        folder=folder,
        files=len(files),
        bytes=sum(path.stat().st_size for path in files),
        captions=tuple(captions_files_below(folder)),
        packed=tuple(sorted(path for path in files if path.suffix.lower() in _ARCHIVES)),
    )


def _from_hugging_face(
    name: str, revision: str, progress: Progress | None, endpoint: str | None, cache_dir: Path | None
) -> Path:
    from ..models.hub import fetch_dataset

    try:
        return fetch_dataset(
            name, revision=revision, progress=progress, endpoint=endpoint, cache_dir=cache_dir
        )
    except WeightsUnavailableError as error:
        # What it says of the repository holds for a data set, too; what it says of models does not.
        unreachable = "could not be fetched" in error.message
        hint = (
            "Run the command again with a network; what has arrived is kept." if unreachable else error.hint
        )
        raise DatasetError(error.message, hint=hint) from error


def _from_kaggle(name: str, version: str) -> Path:
    if version and not version.isdigit():
        raise DatasetError(f"Kaggle's versions are numbers, not {version!r}.")
    handle = f"{name}/versions/{version}" if version else name
    # It logs to stdout, which belongs to the result.
    with contextlib.redirect_stdout(sys.stderr):
        download = _import_kagglehub()
        try:
            return Path(download(handle))
        except OSError as error:
            if error.errno is not None and not hasattr(error, "response"):
                raise  # the disk
            raise _explained(name, error) from error
        except Exception as error:
            if type(error).__module__.split(".")[0] not in ("kagglehub", "kagglesdk", "requests", "urllib3"):
                raise
            raise DatasetError(f"Kaggle's {name} could not be fetched: {_reason(error)}.") from error


def _import_kagglehub() -> Callable[[str], Any]:
    try:
        import kagglehub
    except ImportError as error:
        raise MissingExtraError("kagglehub", "fetch") from error
    download: Callable[[str], Any] = kagglehub.dataset_download
    return download


def _explained(name: str, error: OSError) -> DatasetError:
    """For a connection that failed, or an answer that is an error."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return DatasetError(
            f"Kaggle does not give out {name} ({status}): it is private, or its terms have to be accepted.",
            hint="Accept them on its page, then set KAGGLE_API_TOKEN (or KAGGLE_USERNAME and KAGGLE_KEY).",
        )
    if status == 404:
        return DatasetError(f"There is no data set {name} on Kaggle, or no such version of it.")
    why = f"it answered {status}" if status else _reason(error)
    return DatasetError(
        f"{name} could not be fetched from Kaggle: {why}.",
        hint="Run the command again with a network; what has arrived is kept. A version that is here already is taken "
        "without one: kaggle:OWNER/NAME@VERSION.",
    )


def _reason(error: BaseException) -> str:
    """The first line of what went wrong; of requests' own wrapping, the part in the middle that says it."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    inner = re.search(r"Failed to resolve '[^']*'|Connection refused|timed out|Network is unreachable", text)
    return inner[0] if inner else text
