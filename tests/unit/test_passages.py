from hypothesis import given
from hypothesis import strategies as st

from babelens.passages import body_of, passage_text


def test_the_headings_stand_on_the_first_line() -> None:
    assert (
        passage_text(("Care", "Filter\nrinse"), "Rinse it weekly.") == "Care › Filter rinse\nRinse it weekly."
    )
    assert passage_text((), "Rinse it weekly.") == "Rinse it weekly."


@given(st.lists(st.text()), st.text())
def test_the_body_comes_back(headings: list[str], body: str) -> None:
    assert body_of(passage_text(headings, body), headings) == body
