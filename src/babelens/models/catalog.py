"""The catalogue as data: what ``catalog.toml`` says about each model that has a name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Final, Literal

from .layouts import Runtime


@dataclass(frozen=True, slots=True)
class TowerFiles:
    """Files of a hub repository. An empty ``revision`` is its newest."""

    repo: str
    revision: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model is published for one runtime. ``text`` is None where one repository holds both towers."""

    runtime: Runtime
    bytes: int
    image: TowerFiles
    text: TowerFiles | None = None

    @property
    def repositories(self) -> tuple[TowerFiles, ...]:
        return (self.image,) if self.text is None else (self.image, self.text)


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """A model that has a name. ``recall`` is text→image and image→text R@1 in percent, by data set, as published.

    ``routes`` names, by language, a model with the same picture tower whose text tower may suit queries better.
    """

    name: str
    description: str
    licence: str
    languages: tuple[str, ...]
    photographs: bool
    dim: int
    image_size: int
    max_tokens: int
    tokenizer: str
    cut: Literal["end", "thinned"]
    sources: tuple[Source, ...] = ()
    recall: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    routes: Mapping[str, str] = field(default_factory=dict)
    bundled: bool = False
    commercial: bool = True


FILE: Final = "catalog.toml"


@cache
def read_catalog() -> dict[str, CatalogRow]:
    """All rows by name, in the file's order."""
    table = tomllib.loads((resources.files(__package__) / FILE).read_text(encoding="utf-8"))
    return {name: _row(name, raw) for name, raw in table.items()}


def _row(name: str, raw: dict[str, Any]) -> CatalogRow:
    rest = dict(raw)
    languages = tuple(rest.pop("languages"))
    sources = tuple(_source(source) for source in rest.pop("sources", ()))
    recall = {data: (float(first), float(second)) for data, (first, second) in rest.pop("recall", {}).items()}
    return CatalogRow(name, languages=languages, sources=sources, recall=recall, **rest)


def _source(raw: dict[str, Any]) -> Source:
    towers = {
        side: TowerFiles(raw[side]["repo"], raw[side]["revision"], tuple(raw[side]["files"]))
        for side in ("image", "text")
        if side in raw
    }
    return Source(raw["runtime"], int(raw["bytes"]), **towers)
