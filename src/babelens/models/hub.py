"""Weights and data sets from a hub, through `huggingface_hub` and its cache: fetched once, verified, kept for later.

Its own conventions hold: ``HF_HOME`` and ``HF_HUB_CACHE`` (where), ``HF_ENDPOINT`` (from whom), ``HF_TOKEN`` (as whom)
and ``HF_HUB_OFFLINE``.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from ..errors import WeightsUnavailableError
from ..types import Progress

# A repository's id: an owner and a name. Not ./folder, which is a path that leads nowhere.
REPOSITORY: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")

# Seconds until the hub counts as out of reach: to connect (each of its addresses), to read, to write, to be served.
_TIMEOUT: Final = (4.0, 10.0, 10.0, 10.0)
_CHUNK: Final = 1 << 20
_SHA256, _SHA1 = 64, 40  # hex digits
# From here on a file's download is worth going on with: the library writes what arrives in pieces of ten megabytes.
_LARGE: Final = 16 << 20

RepositoryType = Literal["model", "dataset"]


def cached(
    repo: str,
    *,
    revision: str = "",
    files: Sequence[str],
    cache_dir: Path | None = None,
    repo_type: RepositoryType = "model",
) -> Path | None:
    """The folder that holds all of ``files`` but the optional ones, or None when one is not on this machine.

    Asks nobody.
    """
    hub = _import_hub()
    folder = None
    for file in files:
        if file.endswith("?"):
            continue
        for name in file.split("|"):
            path = hub.try_to_load_from_cache(
                repo, name, cache_dir=cache_dir, revision=revision or None, repo_type=repo_type
            )
            if isinstance(path, str):
                folder = _folder_of(path, name)
                break
        else:
            return None
    return folder


def fetch(
    repo: str,
    *,
    revision: str = "",
    files: Sequence[str],
    progress: Progress | None = None,
    endpoint: str | None = None,
    cache_dir: Path | None = None,
    repo_type: RepositoryType = "model",
) -> Path:
    """The folder that holds ``files`` of a repository; what is not on this machine is fetched and verified.

    ``"a|b"`` is the first that the repository has, ``"a?"`` is left out where it has none.
    An interrupted download goes on where it stopped. ``progress`` hears bytes. Raises
    :class:`WeightsUnavailableError` that says what was tried and what to do.
    """
    folder = cached(repo, revision=revision, files=files, cache_dir=cache_dir, repo_type=repo_type)
    if folder is not None:
        return folder
    hub = _import_hub()
    folder = None
    with _explained(repo, revision):
        # Optional files first: when the others are here, nobody needs to ask for these again.
        plans = [
            _plan(repo, file, revision or None, endpoint, repo_type)
            for file in sorted(files, key=lambda file: file[-1] != "?")
        ]
        due = [plan for plan in plans if plan is not None]
        store = Path(cache_dir or hub.constants.HF_HUB_CACHE) / hub.file_download.repo_folder_name(
            repo_id=repo, repo_type=repo_type
        )
        meter = _Meter(sum(plan.size for plan in due if not plan.blob(store).exists()), progress)
        for plan in due:
            meter.note = plan.file
            _download(plan, store, meter)
            # The blob is there, so this only names it in the cache, as the library does.
            path = hub.hf_hub_download(
                repo,
                plan.file,
                repo_type=repo_type,
                revision=revision or None,
                endpoint=endpoint,
                cache_dir=cache_dir,
                etag_timeout=_TIMEOUT,
            )
            folder = _folder_of(path, plan.file)
    assert folder is not None
    return folder


def fetch_dataset(
    repo: str,
    *,
    revision: str = "",
    progress: Progress | None = None,
    endpoint: str | None = None,
    cache_dir: Path | None = None,
) -> Path:
    """The folder that holds all files of a data set's repository; what is not on this machine is fetched and verified.

    As :func:`fetch`, it asks nobody when all is here. ``progress`` hears bytes of large files, then files that were
    checked. Raises :class:`WeightsUnavailableError`.
    """
    hub = _import_hub()
    where = {
        "repo_type": "dataset",
        "revision": revision or None,
        "endpoint": endpoint,
        "cache_dir": cache_dir,
    }
    with _explained(repo, revision):
        with suppress(hub.errors.LocalEntryNotFoundError):  # or not complete
            return Path(hub.snapshot_download(repo, **where, local_files_only=True))
        api = hub.HfApi(endpoint=endpoint)
        # Asked once, without the library's patience, as for models.
        commit = api.dataset_info(repo, revision=revision or None, timeout=_TIMEOUT[1]).sha
        tree = api.list_repo_tree(repo, repo_type="dataset", revision=commit, recursive=True)
        sizes = {entry.path: entry.size for entry in tree if hasattr(entry, "size")}
        large = [name for name, size in sizes.items() if size >= _LARGE]
        if large:
            fetch(
                repo,
                revision=commit,
                files=large,
                progress=progress,
                endpoint=endpoint,
                cache_dir=cache_dir,
                repo_type="dataset",
            )
        # The others come several at a time: there may be thousands, one for each picture.
        folder = Path(hub.snapshot_download(repo, **where, tqdm_class=_Meter(0, None).bar()))
        for done, name in enumerate(sizes, start=1):
            # The cache names content by its hash. Where it cannot link to it, nothing is left to compare with.
            content = (folder / name).resolve()
            _verify(content, content.name, f"{name} of {repo}")
            if progress is not None:
                progress(done, len(sizes), "files checked")
    return folder


@dataclass(frozen=True, slots=True)
class _Plan:
    """One file of a repository: what the hub calls its content, how long it is, and where to get it."""

    repo: str
    file: str
    etag: str
    size: int
    url: str

    def blob(self, store: Path) -> Path:
        return store / "blobs" / self.etag


def _plan(
    repo: str, file: str, revision: str | None, endpoint: str | None, repo_type: RepositoryType
) -> _Plan | None:
    """None for an optional file that the repository does not have."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import RemoteEntryNotFoundError

    *first, last = file.removesuffix("?").split("|")
    for name in (*first, last):
        try:
            # Asked once, without the library's patience: a machine without a network should learn it in seconds.
            about = get_hf_file_metadata(
                hf_hub_url(repo, name, repo_type=repo_type, revision=revision, endpoint=endpoint),
                timeout=_TIMEOUT,
                endpoint=endpoint,
            )
        except RemoteEntryNotFoundError:
            if name == last and not file.endswith("?"):
                raise
        else:
            # Not where the hub sends us on to: what lies there is another host's, and must not see the user's token.
            url = hf_hub_url(repo, name, repo_type=repo_type, revision=about.commit_hash, endpoint=endpoint)
            return _Plan(repo, name, about.etag, about.size or 0, url)
    return None


def _download(plan: _Plan, store: Path, meter: _Meter) -> None:
    """Brings a file's content into the cache, from where an earlier try stopped, and only if it is what it should be.

    The library itself throws away what has arrived when a download is cut off.
    """
    from filelock import FileLock
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    blob = plan.blob(store)
    partial = blob.with_name(f"{plan.etag}.partial")
    blob.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(partial.with_suffix(".lock")):
        if blob.exists():
            return
        with partial.open("ab") as stream:
            if stream.tell() > plan.size:  # of no use; the hub could not go on from there
                stream.seek(stream.truncate(0))
            http_get(
                plan.url,
                stream,
                resume_size=stream.tell(),
                headers=build_hf_headers(),
                expected_size=plan.size or None,
                displayed_filename=plan.file,
                tqdm_class=meter.bar(),
            )
        _verify(partial, plan.etag, f"{plan.file} of {plan.repo}")
        os.replace(partial, blob)


def _folder_of(path: str, file: str) -> Path:
    """The repository's folder, from where one of its files lies."""
    return Path(path).parents[len(Path(file).parts) - 1]


def list_files(repo: str, *, revision: str = "", endpoint: str | None = None) -> list[str]:
    """The names of all files of a repository. Raises :class:`WeightsUnavailableError`."""
    hub = _import_hub()
    with _explained(repo, revision):
        names: list[str] = hub.HfApi(endpoint=endpoint).list_repo_files(repo, revision=revision or None)
    return names


def snapshot(repo: str, *, revision: str = "", cache_dir: Path | None = None) -> Path | None:
    """The folder of a repository's revision in the cache, complete or not; None when nothing of it is here."""
    return cached(repo, revision=revision, files=["config.json"], cache_dir=cache_dir) or cached(
        repo, revision=revision, files=["encoder.json"], cache_dir=cache_dir
    )


def _import_hub() -> Any:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # What it warns of ends in an error here, or in nothing.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    import huggingface_hub
    import huggingface_hub.constants
    import huggingface_hub.errors
    import huggingface_hub.file_download

    return huggingface_hub


# -- progress ------------------------------------------------------------------------------------------------


class _Meter:
    """Adds up the bytes of several downloads."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total, self._progress = total, progress
        self._done = 0
        self.note = ""

    def add(self, count: float) -> None:
        self._done += int(count)
        if self._progress is not None:
            self._progress(self._done, self._total or None, self.note)

    def bar(self) -> type[Any]:
        """A class that looks like tqdm's to the library, and reports here instead of drawing."""
        meter = self

        class Bar:
            def __init__(self, *_: object, initial: float = 0, **__: object) -> None:
                self.n = initial
                self.total: float | None = None
                if initial:  # what an earlier try has fetched
                    meter.add(initial)

            def update(self, count: float = 1) -> None:
                self.n += count
                meter.add(count)

            def __getattr__(self, name: str) -> Any:  # refresh, set_description, close and the like
                return lambda *_, **__: None

            def __enter__(self) -> Any:
                return self

            def __exit__(self, *_: object) -> None:
                return None

        return Bar


# -- verification --------------------------------------------------------------------------------------------


def _verify(arrived: Path, expected: str, what: str) -> None:
    """Compares content with the hash that the hub named it by: SHA-256 of large files, git's SHA-1 of small ones.

    Content that is not what was asked for is removed, so that the next try fetches it again.
    """
    if len(expected) == _SHA256:
        seen = hashlib.sha256()
    elif len(expected) == _SHA1:
        seen = hashlib.sha1(b"blob %d\0" % arrived.stat().st_size)
    else:  # not a hash: a hub that names its files otherwise
        return
    with arrived.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            seen.update(chunk)
    if seen.hexdigest() != expected:
        arrived.unlink()
        raise WeightsUnavailableError(
            f"{what} arrived damaged and was removed: its hash is {seen.hexdigest()[:12]}…, not "
            f"{expected[:12]}… as the hub says.",
            hint="Run the command again; if it happens again, something between you and the hub changes files.",
        )


# -- errors --------------------------------------------------------------------------------------------------


@contextmanager
def _explained(repo: str, revision: str) -> Iterator[None]:
    """Turns what the library raises into one error that says what was tried and what to do."""
    from huggingface_hub import constants, errors

    what = f"{repo} (revision {revision[:12]})" if revision else repo
    try:
        yield
    except WeightsUnavailableError:
        raise
    except errors.GatedRepoError as error:
        raise WeightsUnavailableError(
            f"{what} is only given to people who accepted its terms.",
            hint="Accept them on its page, then set HF_TOKEN to an access token of your account and try again.",
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise WeightsUnavailableError(
            f"There is no repository {repo}, or it is private.",
            hint="Check the name; for a private one set HF_TOKEN.",
        ) from error
    except errors.RevisionNotFoundError as error:
        raise WeightsUnavailableError(f"{repo} has no revision {revision}.") from error
    except errors.RemoteEntryNotFoundError as error:
        name = str(error).split("/")[-1].rstrip(".")
        raise WeightsUnavailableError(f"{what} lacks a file that is needed: {name}") from error
    except OSError as error:  # connections, time-outs, HTTP errors, and the disk
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        reason = "offline mode is set (HF_HUB_OFFLINE)" if constants.HF_HUB_OFFLINE else _reason(error)
        raise _unreachable(what, constants.ENDPOINT, reason, Path(constants.HF_HUB_CACHE)) from error
    except Exception as error:
        if type(error).__module__.split(".")[0] not in (
            "httpx",
            "httpx2",
            "httpcore",
            "httpcore2",
            "huggingface_hub",
        ):
            raise
        raise _unreachable(what, constants.ENDPOINT, _reason(error), Path(constants.HF_HUB_CACHE)) from error


def _reason(error: BaseException) -> str:
    """The innermost cause in words."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__


def _unreachable(what: str, endpoint: str, reason: str, cache: Path) -> WeightsUnavailableError:
    return WeightsUnavailableError(
        f"{what} is not on this machine and could not be fetched from {endpoint}: {reason}.",
        hint="With a network, `babelens models pull` fetches it, by its name or repository. Without one, run that on "
        f"another machine and copy its model cache here, to {cache}; or copy a model's folder and name it: --model "
        "DIR.\n"
        "To search, `--model mini` works now, without any download: it knows drawings and pictographs, not "
        "photographs.",
    )
