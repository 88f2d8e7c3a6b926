"""Vectors to places in the plane, by PCA, t-SNE or UMAP. Seeded: the same vectors give the same places."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidQueryError, MissingExtraError
from ..types import Progress
from ..vectors import Floats

Method = Literal["tsne", "umap", "pca"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)
NAMES: Final[Mapping[Method, str]] = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA"}

# t-SNE and UMAP look at neighbours; so few points have none to speak of.
_FEWEST: Final = 5
_PCA_DIM: Final = 50
_TICK: Final = 0.5  # seconds


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """``places`` (n, 2) float32; ``method`` is what was used, which for fewer than five points is PCA, and
    ``parameters`` are all that the result depends on besides the vectors."""

    places: NDArray[np.float32]
    method: Method
    parameters: Mapping[str, float | int | str]


def project(
    vectors: Floats, method: Method = "tsne", *, seed: int = 0, progress: Progress | None = None
) -> Projection:
    """Places for unit vectors. Shape: (n, dim) -> (n, 2), for any n of at least 1.

    t-SNE (van der Maaten and Hinton 2008) and UMAP (McInnes et al. 2018) get the first 50 principal components.
    ``progress`` is called twice a second with the number of points and no total: neither method says how far it is.
    Raises :class:`InvalidQueryError` for another method, :class:`MissingExtraError`.
    """
    if method not in METHODS:
        raise InvalidQueryError(
            f"{method!r} is no way to draw a map.", hint=f"Methods: {', '.join(METHODS)}."
        )
    layout = _LAYOUTS[method if len(vectors) >= _FEWEST else "pca"]
    if progress is None:
        return layout(vectors, seed)
    return _in_background(lambda: layout(vectors, seed), lambda: progress(len(vectors), None, NAMES[method]))


def _pca(vectors: Floats, _: int) -> Projection:
    components, shares = _components(vectors, 2)
    places = np.zeros((len(vectors), 2), dtype=np.float32)
    places[:, : components.shape[1]] = components
    return Projection(places, "pca", {"variance_kept": round(float(shares.sum()), 4)})


def _tsne(vectors: Floats, seed: int) -> Projection:
    try:
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "eval") from error

    components, shares = _components(vectors, _PCA_DIM)
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    # A start from the principal components keeps the large shape (Kobak and Berens 2019).
    model = TSNE(
        perplexity=perplexity, init="pca" if components.shape[1] > 1 else "random", random_state=seed
    )
    # Threads that wait for each other at every step are many times slower than one wherever something else runs, and
    # the order of their sums would make the places differ.
    with threadpool_limits(1, user_api="openmp"):
        places = model.fit_transform(components)
    parameters = {"perplexity": round(perplexity, 2), "iterations": int(model.n_iter_) + 1}
    return Projection(places.astype(np.float32), "tsne", {**_before(components, shares), **parameters})


def _umap(vectors: Floats, seed: int) -> Projection:
    try:
        with warnings.catch_warnings():
            # It says at import that TensorFlow is missing, which nothing here needs.
            warnings.simplefilter("ignore", ImportWarning)
            from umap import UMAP
    except ImportError as error:
        raise MissingExtraError("umap-learn", "umap") from error

    components, shares = _components(vectors, _PCA_DIM)
    neighbours = min(15, len(vectors) - 1)
    start = "pca" if components.shape[1] > 1 else "random"
    # One thread: with more, UMAP's result depends on their timing.
    model = UMAP(n_neighbors=neighbours, min_dist=0.1, init=start, random_state=seed, n_jobs=1)
    places = model.fit_transform(components)
    parameters = {"n_neighbors": neighbours, "min_dist": 0.1}
    return Projection(places.astype(np.float32), "umap", {**_before(components, shares), **parameters})


_LAYOUTS: Final[Mapping[Method, Callable[[Floats, int], Projection]]] = {
    "tsne": _tsne,
    "umap": _umap,
    "pca": _pca,
}


def _before(components: Floats, shares: NDArray[Any]) -> dict[str, float | int]:
    return {"pca_dim": components.shape[1], "pca_variance_kept": round(float(shares.sum()), 4)}


def _components(vectors: Floats, dim: int) -> tuple[Floats, NDArray[Any]]:
    """The first principal components, as many as there are up to ``dim``, and the share of variance each keeps."""
    if not np.isfinite(vectors).all():
        raise ValueError("the vectors hold NaN or infinity")
    if np.ptp(vectors, axis=0).max() == 0:  # one point, or the same one again and again: nothing varies
        return np.zeros((len(vectors), 1), dtype=np.float32), np.ones(1)
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    left, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    # The sign of a component means nothing; this one is the same everywhere.
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    components = (left * sizes * signs)[:, :dim]
    return components.astype(np.float32), (sizes**2 / (sizes**2).sum())[:dim]


def _in_background(work: Callable[[], Projection], report: Callable[[], None]) -> Projection:
    """Runs ``work`` in a thread of its own while this one reports and hears Ctrl-C."""
    results: list[Projection] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # raised below, in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name="babelens-projection", daemon=True)
    thread.start()
    while thread.is_alive():
        report()
        thread.join(_TICK)
    if errors:
        raise errors[0]
    return results[0]
