"""Everything that the description of the API allows, and much that it does not: never a 5xx, never a surprise."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from tests.serving import Served, serving

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    schemathesis = pytest.importorskip("schemathesis", reason="needs pip install 'babelens[dev]'")
    from schemathesis.specs.openapi.checks import positive_data_acceptance as acceptance


@pytest.fixture(scope="module")
def described(gallery: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Writable, so that everything is described; over a copy."""
    own = Path(shutil.copytree(gallery, tmp_path_factory.mktemp("described") / "own"))
    with serving({"gallery": own}, writable=True) as running:
        yield running


def test_examples_are_true(described: Served) -> None:
    schemas = described.client.get("/openapi.json").json()["components"]["schemas"]
    for body in schemas["SearchIn"]["examples"]:
        assert described.client.post("/search", json=body).status_code == 200
    for body in schemas["AskIn"]["examples"]:
        assert described.client.post("/ask", json=body).status_code == 200


ENDPOINTS = [
    ("POST", "/search"),
    ("POST", "/search/image"),
    ("GET", "/items/{item_id}"),
    ("GET", "/items/{item_id}/image"),
    ("GET", "/items/{item_id}/thumbnail"),
    ("GET", "/items/{item_id}/similar"),
    ("GET", "/items/{item_id}/captions"),
    ("POST", "/ask"),
    ("GET", "/collections"),
    ("POST", "/items"),
    ("DELETE", "/items/{item_id}"),
    ("GET", "/map"),
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/metrics"),
]


def test_every_endpoint_is_described(described: Served) -> None:
    paths = described.client.get("/openapi.json").json()["paths"]
    assert {(method.upper(), path) for path, row in paths.items() for method in row} == set(ENDPOINTS)


@pytest.mark.parametrize("mode", ["positive", "negative"])
@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_keeps_to_its_description(described: Served, method: str, path: str, mode: str) -> None:
    api = schemathesis.openapi.from_url(f"{described.url}/openapi.json")
    operation = api[path][method]
    generation = schemathesis.GenerationMode(mode)
    cases = operation.as_strategy(generation_mode=generation)

    @settings(
        max_examples=6 if path == "/map" else 30,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def ask(case: Any) -> None:
        # What a schema cannot say is refused as well: no cursor, a filter that does not parse, no picture.
        case.call_and_validate(timeout=60, excluded_checks=[acceptance])

    try:
        ask()
    except Unsatisfiable:
        assert mode == "negative", "nothing could be asked"  # it takes nothing that could be wrong
