"""The part of :class:`.Collection` that has models write what pictures show and say."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..types import DescribeReport, Progress
from .pictures import ItemPictures

if TYPE_CHECKING:
    from ..models.captioners import Captioner
    from ..models.protocols import Encoder, OcrEngine, PassageEncoder
    from ..models.translators import Translator
    from ..storage.catalog import Catalog


class Describing:
    """Captions, their translations, and words that are read in pictures; :mod:`babelens.describing` does the work."""

    _catalog: Catalog

    if TYPE_CHECKING:

        @property
        def encoder(self) -> Encoder: ...

        def _adding(self, progress: Progress | None) -> AbstractContextManager[None]: ...

        def _maintain(self, progress: Progress | None = None) -> None: ...

        def _keep_up(
            self, model: str | Path | PassageEncoder | None, progress: Progress | None
        ) -> list[str]: ...

    def caption(
        self,
        *,
        model: str | Path | Captioner = "git-base-coco",
        where: str | None = None,
        progress: Progress | None = None,
    ) -> DescribeReport:
        """Captions the pictures that this model has not captioned yet: see :func:`babelens.describing.caption_items`.

        Raises what :func:`babelens.load_captioner` does, and as :meth:`add`; what was committed before stays.
        """
        from ..describing import caption_items

        with self._adding(progress):
            return caption_items(self._catalog, self.encoder, model, where=where, progress=progress)

    def translate(
        self,
        to: str | Sequence[str],
        *,
        model: str | Path | Translator | None = None,
        source: str | None = None,
        where: str | None = None,
        beside_human: bool = False,
        progress: Progress | None = None,
    ) -> DescribeReport:
        """Translates captions into the languages they lack: see :func:`babelens.describing.translate_items`.

        Raises what :func:`babelens.load_translator` does, and as :meth:`add`; what was committed before stays.
        """
        from ..describing import translate_items

        targets = [to] if isinstance(to, str) else to
        with self._adding(progress):
            return translate_items(
                self._catalog,
                self.encoder,
                targets,
                model=model,
                source=source,
                where=where,
                beside_human=beside_human,
                progress=progress,
            )

    def read_texts(
        self,
        *,
        engine: str | OcrEngine = "auto",
        languages: Sequence[str] = (),
        where: str | None = None,
        progress: Progress | None = None,
    ) -> DescribeReport:
        """Reads the words printed in pictures and figures that were not read yet: see
        :func:`babelens.describing.read_items`. Search finds them by their words, and never takes them for captions.

        ``languages`` are those that they may be in. Raises :class:`UnknownModelError`,
        :class:`WeightsUnavailableError`, and as :meth:`add`; what was committed before stays.
        """
        from ..describing import READ_SIDE, read_items

        with self._catalog.writing(), ItemPictures(READ_SIDE) as pictures:
            report = read_items(
                self._catalog,
                engine,
                picture=pictures.of,
                languages=languages,
                where=where,
                progress=progress,
            )
            notes = self._keep_up(None, progress)
            self._maintain(progress)
        return replace(report, notes=(*report.notes, *notes))
