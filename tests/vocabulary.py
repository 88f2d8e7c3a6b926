"""A handful of things in the eight languages: what stands in for a model that knows languages."""

from __future__ import annotations

from typing import Final

import numpy as np

from babelens.vectors import Floats, normalize

LANGUAGES: Final = ("en", "es", "fr", "hi", "de", "it", "ja", "ar")
THINGS: Final[dict[str, tuple[str, ...]]] = {
    "fuse": ("fuse", "fusible", "fusible", "फ्यूज", "Sicherung", "fusibile", "ヒューズ", "مصهر"),
    "pump": ("pump", "bomba", "pompe", "पंप", "Pumpe", "pompa", "ポンプ", "مضخة"),
    "lamp": ("lamp", "lámpara", "lampe", "दीपक", "Lampe", "lampada", "ランプ", "مصباح"),
    "filter": ("filter", "filtro", "filtre", "छन्नी", "Filter", "filtro", "フィルター", "مرشح"),
    "water": ("water", "agua", "eau", "पानी", "Wasser", "acqua", "水", "ماء"),
    "battery": ("battery", "batería", "batterie", "बैटरी", "Batterie", "batteria", "電池", "بطارية"),
    "screw": ("screw", "tornillo", "vis", "पेंच", "Schraube", "vite", "ねじ", "برغي"),
    "clean": ("clean", "limpiar", "nettoyer", "साफ", "reinigen", "pulire", "掃除", "نظف"),
    "coffee": ("coffee", "café", "café", "कॉफी", "Kaffee", "caffè", "コーヒー", "قهوة"),
    "wheel": ("wheel", "rueda", "roue", "पहिया", "Rad", "ruota", "車輪", "عجلة"),
}


def word(thing: str, language: str) -> str:
    return THINGS[thing][LANGUAGES.index(language)]


# Every word, folded, and the thing it stands for.
MEANINGS: Final[dict[str, str]] = {
    name.casefold(): thing for thing, names in THINGS.items() for name in names
}


def directions(dim: int) -> dict[str, Floats]:
    """A fixed direction for each thing. Shape: (dim,) each, of unit length."""
    rows = normalize(np.random.default_rng(7).normal(size=(len(THINGS), dim)))
    return dict(zip(THINGS, rows, strict=True))


# Manuals of the same machine parts, one for each language: things with their neighbours.
PAIRS: Final = (
    ("fuse", "pump"),
    ("lamp", "battery"),
    ("filter", "clean"),
    ("coffee", "water"),
    ("wheel", "screw"),
)
