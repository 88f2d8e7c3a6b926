"""The deployed path gives the ranks that exact search gives where the index is exact, and says what it was told."""

from __future__ import annotations

import numpy as np
import pytest

from babelens import Collection
from babelens.evaluation.corpus import build_corpus
from babelens.evaluation.retrieval import (
    DIRECTIONS,
    Outcome,
    differences,
    rank_deployed,
    rank_exactly,
    sum_of_recalls,
    summarise,
)
from babelens.metrics.ranking import rank_lists


def test_deployed_and_exact_agree_on_an_exact_index(coloured: Collection) -> None:
    corpus = build_corpus(coloured.embeddings())
    exact, deployed = rank_exactly(corpus), rank_deployed(coloured, corpus)
    for direction in DIRECTIONS:
        assert list(exact[direction]) == list(corpus.captions)
        for tag, outcome in exact[direction].items():
            given = deployed.outcomes[direction][tag]
            assert given.groups.tolist() == outcome.groups.tolist()
            assert given.ranks.ranks.tolist() == outcome.ranks.ranks.tolist(), (direction, tag)
    for change in differences(exact, deployed.outcomes)["text_to_image"].values():
        assert {value.value for value in change.values()} == {0.0}


def test_colours_find_their_pictures(coloured: Collection) -> None:
    corpus = build_corpus(coloured.embeddings())
    scores = summarise(rank_exactly(corpus))
    english = scores["text_to_image"]["en"]
    assert (english.queries, english.corpus) == (8, 8)
    assert english.measures["hit_rate@1"].value == 1
    assert english.measures["hit_rate@1"].low < 1  # eight pictures cannot prove perfection
    assert english.measures["hit_rate@1"].chance == pytest.approx(1 / 8)
    assert english.measures["hit_rate@10"].chance == 1
    assert english.median_rank.value == 1
    pooled = scores["text_to_image"]["all"]
    assert pooled.queries == 8 + 7 * 3
    assert (
        "all"
        not in summarise(rank_exactly(build_corpus(coloured.embeddings(), languages=["en"])))["image_to_text"]
    )


def test_what_the_collection_is_told_of_right_and_of_removed_pictures(coloured: Collection) -> None:
    corpus = build_corpus(coloured.embeddings(), languages=["en"])
    (told,) = rank_deployed(coloured, corpus).confidences
    assert told.right.all()
    for number, body in enumerate(corpus.captions["en"].bodies):
        result = coloured.search(
            body, mode="vector", language="en", vector=corpus.captions["en"].vectors[number]
        )
        assert told.present[number] == (result.confidence or 0.0)
        assert told.absent[number] == (result.hits[1].why[0].confidence or 0.0)


def test_a_wording_that_pictures_share_is_right_for_each(coloured: Collection) -> None:
    items = {item.source.path.rsplit("/", 1)[-1]: item.id for item in coloured.items()}
    file = coloured.path.parent / "more.jsonl"
    rows = [
        f'{{"image": "pictures/{name}.png", "language": "fr", "captions": ["une couleur"]}}'
        for name in ("red", "blue")
    ]
    file.write_text("\n".join(rows), "utf-8")
    coloured.add(file)
    corpus = build_corpus(coloured.embeddings(), languages=["fr"])
    outcome = rank_deployed(coloured, corpus).outcomes["image_to_text"]["fr"]
    # Of "rouge", "vert", "bleu" and "une couleur" (once), each of the two pictures has two that are right.
    assert outcome.ranks.corpus == 4
    counts = dict(
        zip((corpus.items[row].id for row in outcome.groups), outcome.ranks.relevant.tolist(), strict=True)
    )
    assert counts[items["red.png"]] == 2
    assert counts[items["green.png"]] == 1


def test_sum_of_recalls_adds_both_directions() -> None:
    right = Outcome(rank_lists(np.array([[0], [1]]), [[0], [1]], corpus=20), np.array([0, 1]))
    wrong = Outcome(rank_lists(np.array([[5], [5]]), [[0], [1]], corpus=20), np.array([0, 1]))
    found = sum_of_recalls({"text_to_image": {"en": right}, "image_to_text": {"en": wrong}})["en"]
    assert found.value == 300
    assert found.chance == pytest.approx(2 * 100 * (1 / 20 + 5 / 20 + 10 / 20))
