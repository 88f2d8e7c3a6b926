from __future__ import annotations

import importlib.util
import sys
import threading

import numpy as np
import pytest

from babelens.errors import InvalidQueryError, MissingExtraError
from babelens.evaluation.projection import METHODS, Method, project
from babelens.vectors import Floats, normalize

pytest.importorskip("sklearn", reason="needs pip install 'babelens[eval]'")

# UMAP compiles itself at import, which takes ten seconds.
QUICK: tuple[Method, ...] = ("tsne", "pca")


def groups(n: int, dim: int = 12) -> tuple[Floats, np.ndarray]:
    """Vectors in three groups that lie well apart, and which group each is of."""
    random = np.random.default_rng(0)
    group = np.arange(n) % 3
    return normalize(np.eye(dim)[group] + 0.05 * random.normal(size=(n, dim))), group


@pytest.mark.parametrize("method", QUICK)
def test_groups_stay_together_and_the_seed_repeats_it(method: Method) -> None:
    vectors, group = groups(60)
    made = project(vectors, method, seed=3)
    assert made.method == method
    assert made.places.shape == (60, 2)
    centres = np.array([made.places[group == g].mean(axis=0) for g in range(3)])
    nearest = np.linalg.norm(made.places[:, None] - centres, axis=2).argmin(axis=1)
    assert (nearest == group).all()
    again = project(vectors, method, seed=3)
    assert (again.places == made.places).all()
    assert again.parameters == made.parameters


@pytest.mark.parametrize("method", QUICK)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6])
def test_few_points_have_places_too(method: Method, n: int) -> None:
    vectors, _ = groups(n)
    made = project(vectors, method)
    assert made.places.shape == (n, 2)
    assert np.isfinite(made.places).all()
    assert made.method == (method if n >= 5 else "pca")
    assert len(np.unique(made.places.round(6), axis=0)) == n


@pytest.mark.parametrize("method", QUICK)
def test_vectors_all_alike(method: Method) -> None:
    made = project(np.tile(normalize(np.ones(4)), (7, 1)), method)
    assert np.isfinite(made.places).all()


def test_progress_is_told_from_the_caller_s_thread() -> None:
    heard: list[tuple[int, int | None, str, bool]] = []
    main = threading.current_thread()

    def progress(done: int, total: int | None = None, note: str = "") -> None:
        heard.append((done, total, note, threading.current_thread() is main))

    vectors, _ = groups(30)
    made = project(vectors, "tsne", progress=progress)
    assert set(heard) == {(30, None, "t-SNE", True)}
    assert (made.places == project(vectors, "tsne").places).all()


def test_an_error_in_the_other_thread_is_raised_here() -> None:
    with pytest.raises(ValueError, match="NaN"):
        project(np.full((9, 3), np.nan, dtype=np.float32), "pca", progress=lambda *_: None)


def test_another_method_is_refused() -> None:
    with pytest.raises(InvalidQueryError, match="mds"):
        project(groups(5)[0], "mds")  # type: ignore[arg-type]
    assert METHODS == ("tsne", "umap", "pca")


@pytest.mark.parametrize(("method", "missing"), [("umap", "umap"), ("tsne", "sklearn.manifold")])
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, method: Method, missing: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError):
        project(groups(6)[0], method)


@pytest.mark.skipif(importlib.util.find_spec("umap") is None, reason="needs pip install 'babelens[umap]'")
def test_umap() -> None:
    vectors, group = groups(40)
    made = project(vectors, "umap", seed=1)
    assert (made.places == project(vectors, "umap", seed=1).places).all()
    within = np.linalg.norm(made.places[group == 0] - made.places[group == 0].mean(axis=0), axis=1).max()
    assert (
        np.linalg.norm(made.places[group == 0].mean(axis=0) - made.places[group == 1].mean(axis=0)) > within
    )
    assert np.isfinite(project(vectors[:5], "umap").places).all()
