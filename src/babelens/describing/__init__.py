"""The walk that writes: captions for pictures, translations for captions, checked and stored with their origin.

writing.py       texts and their vectors into the catalog
captions.py      captions, of a collection and without one
translations.py  translations, of a collection and without one
questions.py     translations of questions, to search for
"""

from __future__ import annotations

from .captions import caption_items, generate_caption
from .translations import translate, translate_items

__all__ = ["caption_items", "generate_caption", "translate", "translate_items"]
