"""Sentences in the eight languages: small vocabularies are trained on them, and tokenizers compared on them."""

from __future__ import annotations

from typing import Final

SENTENCES: Final[tuple[str, ...]] = (
    "A red car in front of a house, two dogs play on the beach!",
    "Un perro corre por la playa; ¿dónde está el niño?",
    "Une voiture rouge devant une maison, l'été à Orléans.",
    "एक घर के सामने एक लाल गाड़ी खड़ी है।",
    "Ein rotes Auto steht vor dem Haus, größer als früher.",
    "Una macchina rossa davanti a una casa, perché no?",
    "家の前に赤い車があります。犬が二匹いる。",
    "سيارة حمراء أمام المنزل، وكلبان على الشاطئ.",
)

# What tokenizers stumble over: capitals, emoji with joiners, combining marks, full-width forms, white space, length.
AWKWARD: Final[tuple[str, ...]] = (
    "",
    " ",
    "A",
    "THE Red CAR",
    "🐕‍🦺 and 👩‍👩‍👧‍👦!",
    "e\u0301te\u0301 ﬁne ＡＢＣ １２３",
    "tabs\tand\nnew  lines ",
    "it's don't we'll _under_score_ #tag @you 50% (ok)…",
    "word " * 10_000,
    "x" * 3_000,
)

TEXTS: Final = (*SENTENCES, *AWKWARD)
