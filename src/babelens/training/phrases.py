"""Captions for pictures: names as they are, set in a phrase, or several joined, in each of the eight languages.

The phrases teach the text tower to pass over function words ("a photo of the", "in", "and"). They are templates,
not grammar: articles and cases do not always agree, and need not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

PHRASES: Mapping[str, tuple[str, ...]] = {
    "en": ("a {}", "the {}", "a picture of a {}", "a photo of the {}", "an image of {}", "{} on a table",
           "there is a {}", "a drawing of a {}", "this is a {}", "a small {}", "{} in the picture"),
    "es": ("un {}", "una {}", "el {}", "la {}", "una imagen de un {}", "una foto de la {}", "hay un {}",
           "un dibujo de {}", "esto es una {}", "{} en la imagen", "una foto del {}"),
    "fr": ("un {}", "une {}", "le {}", "la {}", "une image de {}", "une photo d’un {}", "il y a un {}",
           "un dessin d’une {}", "c’est un {}", "{} sur l’image", "une photo des {}"),
    "hi": ("एक {}", "यह {} है", "{} की तस्वीर", "एक {} का चित्र", "{} का फ़ोटो", "यहाँ {} है", "तस्वीर में {}",
           "{} का चित्र"),
    "de": ("ein {}", "eine {}", "der {}", "die {}", "das {}", "ein Bild von einem {}", "ein Foto der {}",
           "da ist ein {}", "eine Zeichnung von {}", "das ist eine {}", "{} im Bild"),
    "it": ("un {}", "una {}", "il {}", "la {}", "un’immagine di {}", "una foto di un {}", "c’è un {}",
           "un disegno della {}", "questo è un {}", "{} nella foto", "una foto del {}"),
    "ja": ("{}の写真", "{}の絵", "{}です", "これは{}です", "{}があります", "{}の画像", "{}がいる", "写真の中の{}"),
    "ar": ("صورة {}", "هذا {}", "هذه {}", "صورة لـ {}", "رسم {}", "يوجد {} في الصورة", "هناك {}", "{} في الصورة"),
}  # fmt: skip

JOINTS: Mapping[str, tuple[str, ...]] = {
    "en": (" and ", " and a ", ", ", " with ", " with a ", " next to a ", " on the ", " in the ", " "),
    "es": (" y ", " y un ", ", ", " con ", " con una ", " junto a un ", " en la ", " en el ", " "),
    "fr": (" et ", " et un ", ", ", " avec ", " avec une ", " à côté d’un ", " sur la ", " dans le ", " "),
    "hi": (" और ", " और एक ", ", ", " के साथ ", " के पास ", " में ", " पर ", " "),
    "de": (" und ", " und ein ", ", ", " mit ", " mit einer ", " neben einem ", " auf dem ", " in der ", " "),
    "it": (" e ", " e un ", ", ", " con ", " con una ", " accanto a un ", " sulla ", " nel ", " "),
    "ja": ("と", "、", "と一緒に", "の隣の", "の上の", "の中の", "や", " "),
    "ar": (" و", " و ", "، ", " مع ", " بجانب ", " على ", " في ", " "),
}
"""How names are joined; the first of each is plain "and"."""


def in_phrase(text: str, language: str, rng: np.random.Generator) -> str:
    """`text` inside a random phrase of `language`."""
    phrases = PHRASES[language]
    return phrases[int(rng.integers(len(phrases)))].format(text)


def joined(texts: Sequence[str], language: str, rng: np.random.Generator) -> str:
    """`texts` joined in their order by random conjunctions or prepositions of `language`."""
    joints = JOINTS[language]
    out = texts[0]
    for text in texts[1:]:
        # Half of them plain "and": it is the commonest way to name two things.
        out += (joints[0] if rng.random() < 0.5 else joints[int(rng.integers(len(joints)))]) + text
    return out
