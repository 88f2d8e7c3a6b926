"""Passages by meaning: what documents say, nearest to a question in whatever language it is asked.

The encoder of passages is a second encoder of the catalog. A setting names the one in use, and each search asks for it:
another process may have changed it. Its cosines compare with no other ranking's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ..errors import BabelensError
from ..retrieval.calibration import confidence, measure_background
from ..types import EncoderFingerprint, Filter, Note, Progress
from ..vectors import Floats
from .judging import Judge, Place
from .ranking import Ranking, places_of
from .upkeep import FreshIndex

if TYPE_CHECKING:
    from ..indexes.faiss import Metric
    from ..models.protocols import PassageEncoder
    from ..storage.catalog import Catalog

_SETTING: Final = "passage_encoder"
_COMING: Final = "passage_encoder.coming"
_INDEX: Final = "passage"
# Texts looked at for each item wanted: a picture or figure may have a caption and words that were read in it.
_PER_ITEM: Final = 2


@dataclass(frozen=True, slots=True)
class PassageSetting:
    """The encoder of passages: ``model`` is what it is loaded by."""

    model: str
    encoder: EncoderFingerprint


def read_passage_setting(catalog: Catalog, *, coming: bool = False) -> PassageSetting | None:
    """The encoder of passages in use, or the one that is to take its place; None where there is none."""
    return _parse(catalog.get_setting(_COMING if coming else _SETTING))


def write_passage_setting(catalog: Catalog, setting: PassageSetting | None, *, coming: bool = False) -> None:
    """Puts an encoder, or none, in place of the one before: searches use the vectors of the one in use from now on."""
    key = _COMING if coming else _SETTING
    if setting is None:
        catalog.delete_setting(key)
    else:
        catalog.set_setting(key, json.dumps(asdict(setting)))


def passage_encoder_numbers(catalog: Catalog) -> set[int]:
    """The numbers of the encoder of passages in use and of the one on its way."""
    stored = (read_passage_setting(catalog, coming=coming) for coming in (False, True))
    wanted = {setting.encoder for setting in stored if setting is not None}
    return {number for number, known in catalog.encoders().items() if known in wanted}


def _parse(value: str | None) -> PassageSetting | None:
    if value is None:
        return None
    stored = json.loads(value)
    return PassageSetting(stored["model"], EncoderFingerprint(**stored["encoder"]))


@dataclass(frozen=True, slots=True)
class _Current:
    """What one value of the setting means. ``encoder`` is None until a question needs it."""

    value: str
    setting: PassageSetting
    index: FreshIndex


class PassageSearch:
    """Ranks passages of one catalog. Safe to use from several threads.

    ``load`` gives the encoder of a setting, at once if it was asked for before, and raises a :class:`BabelensError`
    where it is not to be had.
    """

    def __init__(
        self, catalog: Catalog, load: Callable[[PassageSetting], PassageEncoder], *, metric: Metric = "ip"
    ) -> None:
        self._catalog = catalog
        self._load = load
        self._metric: Metric = metric
        self._seen: _Current | None = None

    def index(self) -> FreshIndex | None:
        """The index of the encoder in use; None where there is none, or not a single vector of it."""
        current = self._current()
        return current.index if current is not None and len(current.index) else None

    def maintain(self, *, always: bool = False, progress: Progress | None = None) -> None:
        """Builds the index file anew where that is due, or ``always``. For the writer."""
        current = self._current()
        if current is not None:
            current.index.maintain(None, always=always, progress=progress)

    def ranking(
        self, question: str, language: str | None, where: Filter | None, depth: int, notes: list[str]
    ) -> Ranking | None:
        """Up to ``depth`` items that pass a filter, by their best text. None where no passage has a vector, or the
        encoder is not to be had, which ``notes`` then says."""
        current = self._current()
        if current is None or not len(current.index):
            return None
        try:
            encoder = self._load(current.setting)
            vector = encoder.encode_queries([question])[0]
        except BabelensError as error:
            said = f"Passages are not searched by meaning: {error.message}"
            notes.append(Note(said + (f" {error.hint}" if error.hint else ""), "passages-by-words"))
            return None
        (count,) = encoder.count_tokens([question])
        model = current.setting.model
        if count > encoder.max_tokens:
            said = (
                f"The question has {count} tokens, more than the {encoder.max_tokens} that {model} takes: for its "
                "meaning the first of them count."
            )
            notes.append(Note(said, "text-cut", model=model))
        if language is not None and language not in encoder.languages:
            said = f"{model} was not trained on the language {language!r}."
            notes.append(Note(said, "untrained-language", model=model, language=language))
        return Ranking(
            "passage",
            self._places(current.index, vector, where, depth),
            1.0,
            self._judge(current.index, vector, encoder),
        )

    def _places(self, index: FreshIndex, vector: Floats, where: Filter | None, depth: int) -> list[Place]:
        """One place for each item, where its best text stands."""
        allowed = None if where is None else self._catalog.matching_seqs(where, index.encoder, "text")
        if allowed is not None and not len(allowed):
            return []
        scores, seqs = index.current().search(vector[None], _PER_ITEM * depth, allowed)
        return places_of(self._catalog, scores, seqs, depth)

    def _judge(self, index: FreshIndex, vector: Floats, encoder: PassageEncoder) -> Judge:
        """Cosines of passage encoders lie close together and far from 0, so only what stands out counts."""
        background = measure_background(np.einsum("ij,j->i", index.background(), vector), index.searched)
        card = encoder.calibration

        def judge(places: Sequence[Place]) -> list[float | None]:
            return [confidence(place.score, background, pair="text_text", card=card) for place in places]

        return judge

    def _current(self) -> _Current | None:
        value, seen = self._catalog.get_setting(_SETTING), self._seen
        if seen is not None and seen.value == value:
            return seen
        setting = _parse(value)
        if value is None or setting is None:
            return None
        numbers = {known: number for number, known in self._catalog.encoders().items()}
        number = numbers.get(setting.encoder)
        if number is None:
            return None
        index = FreshIndex(
            self._catalog, number, setting.encoder.dim, "text", metric=self._metric, name=_INDEX
        )
        self._seen = current = _Current(value, setting, index)
        return current
