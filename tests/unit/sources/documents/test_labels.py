from __future__ import annotations

import pytest

from babelens.sources.documents.labels import caption_label, find_labels, is_certain_caption


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Fig. 3-2: The pump", "figure 3-2"),
        ("Figure 4. The pump", "figure 4"),
        ("FIGURE 4", "figure 4"),
        ("Figure 3–2 The pump", "figure 3-2"),
        ("Abbildung 4: Die Pumpe", "figure 4"),
        ("Abb. 4a Die Pumpe", "figure 4a"),
        ("Figura 12. La bomba", "figure 12"),
        ("Figure A.1 : la pompe", "figure a.1"),
        ("図 5 ポンプ", "figure 5"),
        ("図５－２　ポンプ", "figure 5-2"),
        ("第3図 ポンプ", "figure 3"),
        ("الشكل 2: المضخة", "figure 2"),
        ("الشكل ٢: المضخة", "figure 2"),
        ("शित्र", None),
        ("चित्र 3: पंप", "figure 3"),
        ("चित्र ३: पंप", "figure 3"),
        ("(Fig. 7) The pump", "figure 7"),
        ("The pump of Figure 4", None),
        ("Configure 4 pumps", None),
        ("Figure 3.1 The pump . . . . . . . . 12", None),
        ("Figures are on page 4", None),
    ],
)
def test_captions_begin_with_their_number(text: str, label: str | None) -> None:
    assert caption_label(text) == label


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("The fuse (see Fig. 3-2) feeds the pump of Figure 4.", ("figure 3-2", "figure 4")),
        ("Figures 3 and 4 show it; so does figure 3.", ("figure 3", "figure 4")),
        ("Siehe Abb. 3 und 4.", ("figure 3", "figure 4")),
        ("Voir les figures 1, 2 et 5", ("figure 1", "figure 2", "figure 5")),
        ("図5を参照してください。図 6 も", ("figure 5", "figure 6")),
        ("كما هو موضح بالشكل ٢ والشكل 3", ("figure 2", "figure 3")),
        ("चित्र ३ देखें", ("figure 3",)),
        ("Take 3 figs. Wait 4 minutes.", ()),
        ("Set the profile 3 to 4.", ()),
    ],
)
def test_mentions_are_found_in_running_text(text: str, labels: tuple[str, ...]) -> None:
    assert find_labels(text) == labels


def test_a_sentence_about_a_figure_is_no_certain_caption() -> None:
    assert is_certain_caption("Figure 4: The pump")
    assert is_certain_caption("図 5")
    assert not is_certain_caption("Figure 4 shows the pump")
    assert not is_certain_caption("The pump")
