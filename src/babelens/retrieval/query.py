"""From the arguments of a search to a :class:`Query`, and from its terms' vectors to one vector."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast, get_args

import numpy as np

from ..errors import InvalidQueryError
from ..languages import get_language
from ..types import Kind, Mode, Query, Term
from ..vectors import Floats, normalize
from .filters import parse_filter

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_K: Final = 10_000

# Shorter than this, the sum of the terms is rounding noise: they cancelled out.
_CANCELLED: Final = 1e-3


def build_query(
    text: str | None = None,
    image: Image | Term | None = None,
    *,
    plus: Sequence[str | Image | Term] = (),
    minus: Sequence[str | Image | Term] = (),
    language: str | None = None,
    mode: str = "hybrid",
    where: str | None = None,
    kinds: Sequence[str] | None = None,
    k: int = 10,
    given_vector: bool = False,
) -> Query:
    """A checked query.

    ``plus`` and ``minus`` hold words, pictures, or terms with a weight (which ``minus`` turns negative).
    ``given_vector`` says that the caller brings a vector, so that no term is needed. ``k`` may be larger than the
    collection, but not than :data:`MAX_K`: who wants more wants ``export``.

    Raises :class:`InvalidQueryError` for an empty query, a query of nothing but minus terms, a ``k`` below 1 or
    above :data:`MAX_K`, an unknown mode or kind; :class:`UnknownLanguageError`; :class:`FilterError`.
    """
    if mode not in get_args(Mode):
        raise InvalidQueryError(f"{mode!r} is not a search mode.", hint="Modes: vector, text, hybrid.")
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= MAX_K:
        raise InvalidQueryError(
            f"k must be a whole number from 1 to {MAX_K:,}, not {k!r}.",
            hint="To take everything out of a collection, export it.",
        )
    unknown = sorted(set(kinds or ()) - set(get_args(Kind)))
    if unknown or (kinds is not None and not kinds):
        raise InvalidQueryError(
            f"{', '.join(map(repr, unknown)) or 'An empty list'} is not a kind of item.",
            hint=f"Kinds: {', '.join(get_args(Kind))}.",
        )
    if where is not None:
        parse_filter(where)
    terms = [_checked(Term(text=text))] if text is not None else []
    terms += [_term(image)] if image is not None else []
    terms += [_term(value) for value in plus]
    terms += [_negated(_term(value)) for value in minus]
    if not given_vector and not any(term.weight > 0 for term in terms):
        raise InvalidQueryError(
            "There is nothing to look for."
            if not terms
            else "Minus terms alone do not say what to look for.",
            hint="Give at least one text or picture to search with.",
        )
    if mode == "text" and not any(term.text and term.weight > 0 for term in terms):
        raise InvalidQueryError(
            "mode 'text' looks for words, and the query has none.", hint="Use mode 'vector' for pictures."
        )
    return Query(
        terms=tuple(terms),
        language=get_language(language).tag if language else None,
        mode=cast("Mode", mode),
        where=where,
        kinds=cast("tuple[Kind, ...]", tuple(dict.fromkeys(kinds))) if kinds else None,
        k=k,
    )


def combine_terms(vectors: Floats, weights: Sequence[float]) -> Floats:
    """The unit vector along ``Σ weight_i · vector_i``.

    Shape: (n, dim) unit rows -> (dim,). Raises :class:`InvalidQueryError` when the terms cancel out.
    """
    scale = max(map(abs, weights))
    total = np.asarray(weights, dtype=np.float32) / scale @ vectors
    if np.linalg.norm(total) < _CANCELLED:
        raise InvalidQueryError(
            "The terms of the query cancel out.",
            hint="Take away the minus terms or give them smaller weights.",
        )
    return normalize(total)


def words_of(query: Query) -> str:
    """The words that a full-text search looks for: all texts of positive weight."""
    return " ".join(term.text for term in query.terms if term.text and term.weight > 0)


def _term(value: str | Image | Term) -> Term:
    if isinstance(value, Term):
        return _checked(value)
    return _checked(Term(text=value)) if isinstance(value, str) else Term(image=value)


def _negated(term: Term) -> Term:
    return replace(term, weight=-abs(term.weight))


def _visible(character: str) -> bool:
    return character.isprintable() and not character.isspace()


def _checked(term: Term) -> Term:
    if sum(part is not None for part in (term.text, term.image, term.item_id)) != 1:
        raise InvalidQueryError("A term is either a text, a picture or the id of an item.")
    if term.text is not None and not any(map(_visible, term.text)):
        raise InvalidQueryError("The text to search with is empty.", hint="Type at least one word.")
    if not math.isfinite(term.weight) or term.weight == 0:
        raise InvalidQueryError(f"The weight of a term cannot be {term.weight}.")
    return term
