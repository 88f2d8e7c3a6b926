"""Turning a correction of hubness on and off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ..errors import CollectionError
from ..languages import get_language
from ..types import Progress

if TYPE_CHECKING:
    from ..search import HubnessReport
    from ..storage.catalog import Catalog
    from .space import Space

_SMALLEST_BANK: Final = 50


def tune(
    catalog: Catalog,
    space: Space,
    languages: str | Sequence[str] | None,
    *,
    bank: int,
    seed: int,
    progress: Progress,
) -> HubnessReport:
    """Looks for a correction that helps a collection, and turns it on where it is shown to: see
    :mod:`babelens.search.hubness`.

    Half of the pictures with captions that people wrote choose it, the other half measure it. Searches use it for
    queries of nothing but words that state one of ``report.correction.languages``; ``"und"`` among these means queries
    that state none. What was turned on before is replaced, or off when nothing is better now. It belongs to the
    encoder: another one does not use it. ``bank`` is how many captions stand for all queries. ``languages`` are those
    to measure; without them all, and queries of unstated language.

    Raises :class:`CollectionError` when there are too few human captions (in one of ``languages``, if given),
    :class:`UnknownLanguageError`, :class:`CollectionLockedError`, and ``ValueError`` for a bank below 50.
    """
    from ..search.hubness import tune_hubness

    if bank < _SMALLEST_BANK:
        raise ValueError(f"a bank of fewer than {_SMALLEST_BANK} captions says nothing")
    listed = [languages] if isinstance(languages, str) else languages
    tags = None if listed is None else list(dict.fromkeys(get_language(name).tag for name in listed))
    with catalog.writing():
        searcher = space.searcher()
        if searcher is None:
            raise CollectionError("There is nothing to measure: the collection has no vectors.")
        number = searcher.encoder_number
        tuned = tune_hubness(
            catalog, number, searcher.images, languages=tags, bank=bank, seed=seed, progress=progress
        )
        if tuned.report.on:
            catalog.put_correction(number, tuned.report.correction.to_json(), tuned.owners, tuned.bank)
        else:
            catalog.drop_correction(number)
    return tuned.report


def untune(catalog: Catalog, space: Space) -> bool:
    """Turns the correction off. False when none was on."""
    with catalog.writing():
        searcher = space.searcher()
        return searcher is not None and catalog.drop_correction(searcher.encoder_number)
