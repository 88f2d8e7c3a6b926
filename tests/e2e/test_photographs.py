"""The main job on real photographs with human captions in four languages, with an encoder that cannot see them.

The encoder is blind on purpose: then only words and captions can find a photograph, and what its noise costs shows.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from babelens.collection import Collection
from babelens.types import EncoderFingerprint
from babelens.vectors import Floats, normalize

PHOTOS = 60
LANGUAGES = ("en", "ar", "de", "fr")

# A collection, and by language the query for each photo's file name.
Flickr = tuple[Collection, dict[str, dict[str, str]]]


class BlindEncoder:
    """Pictures by their colours, texts by hashed trigrams: nothing of the one says anything of the other."""

    photographs = False
    image_size = 16
    max_tokens = 10_000
    languages = LANGUAGES
    calibration: dict[str, float] = {}  # noqa: RUF012
    vocabulary = np.empty((0, 768), dtype=np.float32)
    fingerprint = EncoderFingerprint("blind", "1", "16", 768)

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        return np.asarray(image.convert("RGB").resize((16, 16), Image.Resampling.BOX))

    def encode_prepared(self, pixels: Sequence[NDArray[np.uint8]]) -> Floats:
        return normalize(np.stack(pixels).reshape(len(pixels), -1).astype(np.float32) - 110.5)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        rows = np.full((len(texts), 768), 1e-3)
        for row, text in zip(rows, texts, strict=True):
            folded = f"  {text.casefold()} "
            for place in range(len(folded) - 2):
                row[hash_of(folded[place : place + 3]) % 768] += 1
        return normalize(rows)


def hash_of(text: str) -> int:
    """Python's own hash changes from run to run."""
    value = 7
    for character in text:
        value = (value * 31 + ord(character)) % 1_000_003
    return value


@pytest.fixture(scope="module")
def data(request: pytest.FixtureRequest) -> Path:
    import os

    folder = Path(os.environ.get("BABELENS_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not (folder / "flickr8k" / "dev.jsonl").is_file():
        pytest.skip("no sample data: set BABELENS_TEST_DATA to a folder that holds coco51/ and flickr8k/")
    return folder


@pytest.fixture(scope="module")
def flickr(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flickr]:
    """Flickr8k dev photos, indexed with all but one caption in each language; the held out ones are queries."""
    folder = tmp_path_factory.mktemp("flickr")
    (folder / "images").symlink_to(data / "flickr8k" / "images")
    rows = [json.loads(line) for line in (data / "flickr8k" / "dev.jsonl").read_text("utf-8").splitlines()]
    rows = [row for row in rows if set(row["captions"]) >= set(LANGUAGES)]
    random.Random(0).shuffle(rows)
    queries: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    lines = []
    for row in rows[:PHOTOS]:
        captions = {language: list(bodies) for language, bodies in row["captions"].items()}
        for language, bodies in captions.items():
            # French has one caption a photo: there the query is half of it, which must be found all the same.
            body = (
                bodies.pop()
                if len(bodies) > 1
                else " ".join(bodies[0].split()[: len(bodies[0].split()) // 2 + 1])
            )
            queries[language][Path(row["image"]).name] = body
        lines.append(json.dumps({"image": row["image"], "captions": captions}, ensure_ascii=False))
    (folder / "captions.jsonl").write_text("\n".join(lines), "utf-8")
    with Collection.open(folder / "collection", model=BlindEncoder()) as collection:
        report = collection.add(folder / "captions.jsonl")
        assert report.added == PHOTOS
        assert report.skipped == ()
        yield collection, queries


def hit_rate(collection: Collection, queries: dict[str, str], language: str, mode: str, k: int = 10) -> float:
    """The share of queries whose photo is among the first ``k``; chance is k / PHOTOS = 0.17."""
    found = 0
    for name, body in queries.items():
        hits = collection.search(body, mode=mode, language=language, k=k).hits
        found += name in {Path(hit.item.source.path).name for hit in hits}
    return found / len(queries)


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_find_photographs_in_every_language_of_their_captions(flickr: Flickr, language: str) -> None:
    collection, queries = flickr
    assert hit_rate(collection, queries[language], language, "text") >= 0.75


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_blind_encoder_does_not_drown_the_words_in_hybrid_search(flickr: Flickr, language: str) -> None:
    collection, queries = flickr
    text = hit_rate(collection, queries[language], language, "text")
    assert hit_rate(collection, queries[language], language, "hybrid") >= text - 0.07


def test_blindness_is_measured_and_said_once(flickr: Flickr) -> None:
    collection, _ = flickr
    with Collection.open(collection.path, model=BlindEncoder()) as again:
        first, second = (again.search("two dogs in the snow", language="en") for _ in range(2))
    assert sum("not trained on photographs" in note for note in first.notes) == 1
    assert second.notes == ()


def test_hits_say_through_which_caption_they_were_found(
    flickr: Flickr,
) -> None:
    collection, queries = flickr
    body = next(iter(queries["ar"].values()))
    hits = collection.search(body, language="ar", mode="text").hits
    reason = hits[0].why[0]
    assert reason.ranking == "words"
    assert reason.text is not None
    assert reason.text.language == "ar"
    assert set(reason.text.body.split()) & set(body.split())


def test_what_no_caption_speaks_of_is_not_confidently_found(
    flickr: Flickr,
) -> None:
    collection, _ = flickr
    for query in ("quarterly revenue forecast", "Photosynthese", "مجلس الأمن الدولي"):
        assert not collection.search(query).confident


def test_a_photograph_finds_itself_smaller_and_its_captions_in_a_language(
    flickr: Flickr,
) -> None:
    collection, _ = flickr
    for item in list(collection.items())[:10]:
        with Image.open(item.source.path) as photo:
            smaller = photo.resize((90, 90))
        result = collection.search(image=smaller, k=3)
        assert result.hits[0].item.id == item.id
        assert result.confident
        assert item.id not in {hit.item.id for hit in collection.similar(item.id, k=3).hits}
        captions = collection.captions(item.id, language="de", k=5)
        assert [caption.text.language for caption in captions] == ["de"] * 5


def test_full_size_photographs_of_coco(data: Path, tmp_path: Path) -> None:
    with Collection.open(tmp_path / "coco", model=BlindEncoder()) as collection:
        report = collection.add(data / "coco51" / "captions.jsonl", caption_language="en")
        assert (report.added, report.texts) == (51, 255)
        rows = [
            json.loads(line) for line in (data / "coco51" / "captions.jsonl").read_text("utf-8").splitlines()
        ]
        for row in rows[:10]:
            hits = collection.search(row["captions"][0], k=1, where="width > 100").hits
            assert Path(hits[0].item.source.path).name == Path(row["image"]).name
        assert collection.verify().problems == ()
