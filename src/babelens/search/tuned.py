"""The index setting of a collection, kept among the catalog's settings by encoder and modality.

It was measured on one encoder's vectors and holds for no other; going back to an encoder whose vectors were kept brings
its setting back.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..types import Modality

if TYPE_CHECKING:
    from ..indexes.setting import Tuned
    from ..storage.catalog import Catalog


def read_tuned(catalog: Catalog, encoder: int, modality: Modality) -> Tuned | None:
    """The setting to build the index of an encoder (by number) and modality with; None when there is none."""
    value = catalog.get_setting(_key(encoder, modality))
    if value is None:
        return None
    from ..indexes.setting import Tuned

    return Tuned.of(json.loads(value))


def write_tuned(catalog: Catalog, encoder: int, modality: Modality, tuned: Tuned) -> None:
    """Keeps a setting in place of the one before; the index is built with it when it is next seen to."""
    catalog.set_setting(_key(encoder, modality), json.dumps(tuned.facts()))


def forget_tuned(catalog: Catalog, encoder: int, modality: Modality) -> None:
    """The index is chosen by size and memory again, from when it is next seen to."""
    catalog.delete_setting(_key(encoder, modality))


def _key(encoder: int, modality: Modality) -> str:
    return f"index.{encoder}.{modality}"
