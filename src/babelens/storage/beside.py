"""The part of :class:`.Catalog` that keeps several encoders: what each still lacks, and giving one up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager

from ..types import Item
from . import coverage
from .database import Database


class Beside(ABC):
    """Encoders by their numbers in the catalog."""

    _database: Database

    @abstractmethod
    def writing(self) -> AbstractContextManager[None]: ...

    def items_without(
        self, encoder: int, after: int, *, limit: int, drawn: bool = False
    ) -> list[tuple[int, Item]]:
        """The next items after row ``after``, by row, whose picture has no vector of an encoder: files of their own, or
        pages and figures, which are ``drawn`` from documents."""
        with self._database.reading() as connection:
            return coverage.items_without(connection, encoder, after, limit=limit, drawn=drawn)

    def texts_without(
        self, encoder: int, after: int, *, limit: int, passages: bool = False
    ) -> list[tuple[int, str]]:
        """The next texts of status ``ok`` after row ``after``, as row and body, that have no vector of an encoder:
        those for the encoder of pictures, or the ``passages`` of documents and what was read in pictures."""
        with self._database.reading() as connection:
            return coverage.texts_without(connection, encoder, after, limit=limit, passages=passages)

    def count_without(self, encoder: int) -> tuple[int, int]:
        """How many pictures and how many texts have no vector of an encoder."""
        with self._database.reading() as connection:
            return coverage.count_without(connection, encoder)

    def count_passages_without(self, encoder: int) -> int:
        """How many of the passages have no vector of an encoder."""
        with self._database.reading() as connection:
            return coverage.count_passages_without(connection, encoder)

    def count_lost(self, old: int, new: int) -> int:
        """How many pictures have a vector of the encoder ``old`` and none of ``new``."""
        with self._database.reading() as connection:
            return coverage.count_lost(connection, old, new)

    def drop_vectors(self, encoder: int, *, limit: int) -> int:
        """Removes up to ``limit`` vectors of an encoder that is no longer searched with. Returns how many."""
        with self.writing(), self._database.transaction() as connection:
            return coverage.drop_vectors(connection, encoder, limit=limit)

    def forget_encoder(self, encoder: int) -> None:
        """Takes an encoder without vectors from the list. Its number is never given out again."""
        with self.writing(), self._database.transaction() as connection:
            coverage.forget_encoder(connection, encoder)
