from __future__ import annotations

from typing import Any

import pytest

from babelens.demo.bundled import Gallery
from babelens.demo.trials import Examiner, Trial
from babelens.languages import LANGUAGES


@pytest.fixture
def examiner(collection: Any, gallery: Gallery) -> Examiner:
    return Examiner(collection, gallery)


def named(trial: Trial) -> list[str]:
    return [hit.path.name for hit in trial.hits]


def test_every_caption_is_asked_once_in_every_language(examiner: Examiner) -> None:
    trials = list(examiner.text_to_image())
    assert len(trials) == 7 * len(LANGUAGES) == len({(t.language, t.query) for t in trials})
    assert all(trial.right[0] for trial in trials)


def test_a_caption_of_one_thing_is_true_of_all_pictures_of_it(examiner: Examiner) -> None:
    trial = next(t for t in examiner.text_to_image() if t.query[0].text == "red in hi")
    assert trial.positives == 3  # 1, 3 and 4
    assert {name for name, right in zip(named(trial), trial.right, strict=True) if right} == {
        "1.webp",
        "3.webp",
        "4.webp",
    }


def test_a_caption_is_right_when_all_it_names_is_in_the_picture(examiner: Examiner) -> None:
    trials = list(examiner.image_to_text())
    assert len(trials) == 7 * len(LANGUAGES)
    trial = next(t for t in trials if t.query[0].picture and t.query[0].picture.path.name == "3.webp")
    assert trial.positives == 3  # "red+blue", "red", "blue"
    right = {name for name, ok in zip(named(trial), trial.right, strict=True) if ok}
    assert right == {"3.webp", "1.webp", "2.webp"}


def test_a_picture_is_not_its_own_answer(examiner: Examiner) -> None:
    for trial in examiner.image_to_image():
        asked = trial.query[0].picture
        assert asked
        assert asked not in trial.hits
    yellow = next(t for t in examiner.image_to_image() if t.query[0].picture == asked)
    assert (yellow.positives, any(yellow.right)) == (0, False)  # nothing else is yellow


def test_combined_queries(examiner: Examiner) -> None:
    trials = list(examiner.combined())
    plus = [trial for trial in trials if trial.task == "combined_plus"]
    minus = [trial for trial in trials if trial.task == "combined_minus"]
    assert len(plus) == len(minus) == 3
    # The picture of blue alone plus "red" must find picture 3, the only one of both.
    assert any(named(trial)[0] == "3.webp" and trial.positives == 1 for trial in plus)
    for trial in minus:
        scene, taken = trial.query[0].picture, trial.query[1]
        assert scene
        assert taken.minus
        assert scene not in trial.hits
        assert trial.right[0]
        assert taken.text
        assert taken.text.split()[0] not in trial.hits[0].things
    assert len({trial.language for trial in trials}) == 3


def test_nothing_is_right_for_an_absent_thing(examiner: Examiner) -> None:
    trials = list(examiner.no_match())
    assert len(trials) == 2 * len(LANGUAGES)
    assert not any(any(trial.right) or trial.positives or trial.confident for trial in trials)
