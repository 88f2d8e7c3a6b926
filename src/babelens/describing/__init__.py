"""The walk that writes: captions for pictures, translations for captions, the words printed in pictures, each checked
and stored with its origin.

writing.py       texts and their vectors into the catalog
captions.py      captions, of a collection and without one
translations.py  translations, of a collection and without one
reading.py       printed words
questions.py     translations of questions, to search for
"""

from __future__ import annotations

from .captions import caption_items, generate_caption
from .reading import READ_SIDE, read_items
from .translations import translate, translate_items

__all__ = ["READ_SIDE", "caption_items", "generate_caption", "read_items", "translate", "translate_items"]
