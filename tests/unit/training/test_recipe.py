from __future__ import annotations

from pathlib import Path

import pytest

from babelens.errors import TrainingError
from babelens.training.recipe import PhotographRecipe, load_recipe, recipe_from


def test_bundled_recipe_loads() -> None:
    recipe = load_recipe(Path(__file__).parents[3] / "recipes" / "mini.toml")
    assert recipe.export.name == "mini"
    assert recipe.training_styles == ("noto", "twemoji", "openmoji", "openmoji-black")
    # The digest in checkpoints from before there were other kinds of data: keys that came later must not change it.
    assert recipe.digest() == "b5df053df4306759"


def test_the_recipe_for_photographs_loads() -> None:
    recipe = load_recipe(Path(__file__).parents[3] / "recipes" / "flickr8k.toml")
    assert isinstance(recipe, PhotographRecipe)
    assert recipe.languages == ("en", "ar", "de", "fr")
    assert "research" in recipe.export.remark


def test_overrides_win(recipe_file: Path) -> None:
    recipe = load_recipe(recipe_file, overrides={"run.steps": 5, "data.held_out": ["framed"]})
    assert recipe.run.steps == 5
    assert recipe.training_styles == ("filled",)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"runs": {}}, r"unknown table \[runs\]"),
        ({"run": {"step": 1}}, r"\[run\] has no key step"),
        ({"run": {"steps": 0}}, "at least one step"),
        ({"data": {"styles": ["a"], "held_out": ["a"]}}, "every style is held out"),
        ({"data": {"kind": "films"}}, "data.kind is 'films'"),
        ({"data": {"kind": "photographs", "styles": ["a"]}}, r"\[data\] has no key styles"),
        ({"data": {"train": "train.jsonl"}}, r"\[data\] has no key train"),
        ({"data": {"kind": "photographs"}, "widen": {}}, r"unknown table \[widen\]"),
        ({"data": {"kind": "photographs", "crop": 0.0}}, "data.crop is 0.0"),
        ({"data": {"kind": "photographs", "pictures": 1}}, "two pictures per batch"),
        ({"data": {"kind": "photographs", "languages": ["en", "nl"]}}, "data.languages has nl"),
    ],
)
def test_bad_recipes(tables: dict[str, dict[str, object]], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        recipe_from(tables)


def test_unreadable_recipe(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[run\n")
    with pytest.raises(TrainingError, match="not a readable recipe"):
        load_recipe(tmp_path / "bad.toml")


def test_digest_follows_what_changes_the_result(recipe_file: Path) -> None:
    base = load_recipe(recipe_file)
    assert load_recipe(recipe_file, overrides={"run.validate_every": 1}).digest() == base.digest()
    assert load_recipe(recipe_file, overrides={"data.path": "elsewhere"}).digest() == base.digest()
    assert load_recipe(recipe_file, overrides={"run.seed": 1}).digest() != base.digest()
