"""Crossmodal-3600 (Thapliyal et al., 2022): a line per picture, with the captions of 36 languages as its keys.

    {"image/key": "0000d67245642c5f", "image/locale": "cs", "ar": {"caption": ["…", "…"], "caption/tokenized": […], …},
     "en": {…}, …}

The pictures are files named after the keys, ``0000d67245642c5f.jpg``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeGuard

_KEY: Final = "image/key"


def is_crossmodal(fields: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether a JSON record is one of Crossmodal-3600."""
    return isinstance(fields, dict) and isinstance(fields.get(_KEY), str)


def plain_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The record in the form that other JSON lines have. The tokenised captions are the same texts over again."""
    captions = {
        tag: value["caption"]
        for tag, value in fields.items()
        if isinstance(value, dict) and "caption" in value
    }
    return {"image": f"{fields[_KEY]}.jpg", "captions": captions}
