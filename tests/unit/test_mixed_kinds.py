"""One search over photographs and manuals: pictures, pages and figures are ranked apart, then fused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from babelens import Collection
from babelens.errors import UnknownItemError, UnreadableFileError
from tests.conftest import COLOURS, FakeEncoder, OtherEncoder
from tests.pdfs import Pdf

DRAWN = tuple(COLOURS)


def make_manual(path: Path) -> Path:
    """A page for each colour, with a drawing in it that a sentence mentions."""
    pdf = Pdf(title="Lamps")
    for number, name in enumerate(DRAWN, start=1):
        page = pdf.page().text(72, 80, f"Lamp {number}", 18, "bold")
        page.lines(72, 110, [f"The lamp of Figure {number} is for the {name} room of your house."] * 4)
        page.operators.append("q {} {} {} rg".format(*(value / 255 for value in COLOURS[name])))
        top = 180 + 20 * number  # a drawing in the same place on every page would be a logo
        page.circle(300, top + 90, 90)
        page.operators[-1] = page.operators[-1].removesuffix("S") + "f Q"
        page.drawing(200 - 5 * number, top, 200 + 10 * number, 180)
        page.text(200, top + 200, f"Figure {number}: {name}")
    return pdf.save(path)


@pytest.fixture
def collection(tmp_path: Path, pictures: Path, encoder: FakeEncoder) -> Iterator[Collection]:
    for name in COLOURS:
        (pictures / f"{name}.txt").write_text(name)
    make_manual(pictures / "lamps.pdf")
    with Collection.open(tmp_path / "collection", model=encoder) as opened:
        opened.add(pictures, caption_language="en", ocr=False)
        assert opened.info().kinds == {"figure": 8, "image": 8, "page": 8, "passage": 8}
        yield opened


def told(collection: Collection, item_id: str) -> str:
    item = collection.get(item_id)
    where = item.metadata.get("label") or item.source.page or ""
    return f"{item.kind} {item.metadata['name'] if item.kind == 'image' else where}".strip()


@pytest.mark.parametrize("name", ["red", "blue", "green"])
def test_the_best_of_each_kind_comes_early(collection: Collection, name: str) -> None:
    hits = collection.search(name, mode="image", k=24).hits
    order = [told(collection, hit.item.id) for hit in hits]
    assert order[0] == f"image {name}.png"
    assert f"figure figure {DRAWN.index(name) + 1}" in order[:5], "not after all pictures"
    assert len(hits) == 24
    assert {hit.item.kind for hit in hits[:12]} == {"image", "figure", "page"}
    assert [hit.why[0].ranking for hit in hits] == ["image"] * 24


def test_kinds_restrict_what_is_found(collection: Collection) -> None:
    for kinds in (["figure"], ["page"], ["passage"], ["image", "figure"]):
        hits = collection.search("the red lamp", kinds=kinds, k=20).hits
        assert {hit.item.kind for hit in hits} == set(kinds)
    assert told(collection, collection.search("red", kinds=["figure"]).hits[0].item.id) == "figure figure 1"


def test_a_filter_applies_to_every_kind(collection: Collection) -> None:
    hits = collection.search("red", where="extension = 'pdf'", k=20).hits
    assert {hit.item.kind for hit in hits} == {"figure", "page", "passage"}
    hits = collection.search("red", where="extension = 'png'", k=20).hits
    assert {hit.item.kind for hit in hits} == {"image"}


def test_a_passage_is_found_by_its_words(collection: Collection) -> None:
    hits = collection.search("which lamp for my green room?", k=3).hits
    best = next(hit for hit in hits if hit.item.kind == "passage")
    assert best.item.source.page == 1 + DRAWN.index("green")
    (reason,) = best.why
    assert reason.ranking == "words"
    assert reason.text is not None
    assert reason.text.origin == "document"


def test_a_figure_brings_its_passage_and_the_other_way_round(collection: Collection) -> None:
    (figure,) = collection.search("red", kinds=["figure"], k=1).hits
    (passage,) = collection.related(figure.item.id)
    assert (passage.kind, passage.source.page) == ("passage", 1)
    assert [item.id for item in collection.related(passage.id)] == [figure.item.id]
    photo = collection.search("red", kinds=["image"], k=1).hits[0].item
    assert collection.related(photo.id) == []
    with pytest.raises(UnknownItemError):
        collection.related("nobody")


def test_every_item_can_be_looked_at(collection: Collection, pictures: Path) -> None:
    for item in collection.items(["image", "page", "figure", "passage"]):
        picture = collection.picture(item.id, max_side=200)
        assert picture.mode == "RGB"
        assert 16 <= max(picture.size) <= 201, item.kind
    (figure,) = collection.search("blue", kinds=["figure"], k=1).hits
    middle = np.asarray(collection.picture(figure.item.id, max_side=100).resize((9, 9)))[4, 4].astype(int)
    assert middle[2] > 2 * max(middle[:2]), "blue under the drawing's lines"
    (pictures / "lamps.pdf").unlink()
    with pytest.raises(UnreadableFileError):
        collection.picture(figure.item.id)


def test_a_text_has_no_looks(tmp_path: Path, encoder: FakeEncoder) -> None:
    (tmp_path / "notes.md").write_text("# Lamps\n\nKeep them dry.\n")
    with Collection.open(tmp_path / "collection", model=encoder) as opened:
        opened.add(tmp_path / "notes.md")
        (hit,) = opened.search("dry lamps").hits
        assert opened.texts(hit.item.id)[0].body == "Lamps\nKeep them dry."
        with pytest.raises(UnreadableFileError, match="no pages"):
            opened.picture(hit.item.id)


def test_an_encoder_that_does_not_know_drawings_is_not_believed(
    collection: Collection, encoder: FakeEncoder
) -> None:
    """The pictures of documents are trusted as far as the captions of figures bear them out."""
    searcher = collection._space.searcher()
    assert searcher is not None
    seeing = searcher._kinds.document_trust()
    words = dict(zip(DRAWN, (*DRAWN[3:], *DRAWN[:3]), strict=True))
    encoder.encode_texts = lambda texts: FakeEncoder.encode_texts(  # type: ignore[method-assign]
        encoder, [" ".join(words.get(word, word) for word in text.split()) for text in texts]
    )
    searcher._kinds._trust = None
    assert searcher._kinds.document_trust() < seeing


def test_another_encoder_draws_pages_and_figures_again(collection: Collection, pictures: Path) -> None:
    other = OtherEncoder("other")
    report = collection.reindex(other)
    assert report.switched
    assert other.images_encoded >= 8 + 8 + 8
    assert len(collection.embeddings().items) == 24
    assert collection.verify().ok
    (hit,) = collection.search("blue", mode="image", kinds=["figure"], k=1).hits
    assert told(collection, hit.item.id) == "figure figure 3"


def test_pages_of_a_changed_file_are_not_drawn_for_another_encoder(
    collection: Collection, pictures: Path
) -> None:
    (pictures / "lamps.pdf").write_bytes(b"%PDF-1.4 something else")
    report = collection.reindex(OtherEncoder("other"), allow_missing=True)
    assert {skip.reason for skip in report.skipped} == {"the file has changed since it was indexed"}
    assert len(report.skipped) == 16
