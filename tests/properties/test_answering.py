from __future__ import annotations

from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from babelens.answering import Evidence, build_prompt, check_citations, extractive_answer
from babelens.answering.quotes import stands_in
from babelens.answering.sentences import sentence_spans
from babelens.languages import LANGUAGES

ALPHABETS = ("abcdeéñüß", "कखगपानीिुूरसं", "مضخةوزرقطابع", "電源入切ボタンを押す")
WORDS = st.one_of(
    *(st.text(alphabet, min_size=1, max_size=7) for alphabet in ALPHABETS),
    st.from_regex(r"-?[0-9]{1,3}(\.[0-9])?", fullmatch=True),
    st.sampled_from(
        ["F3", "M5x20", "°C", "3.5", "non-return", "l'acqua", "(see", "4)", "e.g.", "“ON”", "%", '5"']
    ),
)
SPACES = st.sampled_from([" ", "  ", "\n", "\u00a0", "\t", "\u3000"])
ANYTHING = st.text(max_size=200)
TAGS = st.sampled_from(sorted(LANGUAGES))


def passage(number: int, body: str) -> Evidence:
    return Evidence(number, f"id{number}", "manual.pdf", 1, "passage", body, None, (), 1.0, None)


@st.composite
def passages(draw: st.DrawFn) -> list[str]:
    words = draw(st.lists(WORDS, min_size=3, max_size=25))
    return [word for word in words if any(map(str.isalnum, word))] or ["word"]


@given(passages(), st.data())
def test_a_quotation_that_was_copied_stands(words: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(words) - 1))
    end = data.draw(st.integers(start + 1, len(words)))
    body = words[0] + "".join(data.draw(SPACES) + word for word in words[1:])
    quote = data.draw(SPACES).join(words[start:end])
    assert stands_in(quote, body)
    assert stands_in(quote.upper(), body.lower()) or "ß" in quote or "ı" in quote


@given(passages(), st.data())
def test_a_quotation_with_a_changed_word_does_not(words: list[str], data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(words) - 1))
    other = data.draw(st.sampled_from(["zzz", "ظظ", "ढढ", "禁禁", "777.7", "-888"]))
    start = data.draw(st.integers(0, position))
    end = data.draw(st.integers(position + 1, len(words)))
    changed = [*words[start:position], other, *words[position + 1 : end]]
    assert not stands_in(" ".join(changed), " ".join(words))


@given(st.from_regex(r"[0-9]{1,4}([.,][0-9]{1,3})?", fullmatch=True), st.data())
def test_a_changed_digit_does_not_stand(number: str, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(number) - 1))
    assume(number[position].isdigit())
    digit = data.draw(st.sampled_from("0123456789"))
    changed = number[:position] + digit + number[position + 1 :]
    body = f"set it to {number} V now"
    assert stands_in(f"to {changed} V", body) == (changed == number)
    for part in (number[1:], number[:-1]):
        assert part == "" or not stands_in(f"{part} V", body) or not any(map(str.isdigit, part))


@given(ANYTHING, st.booleans())
def test_sentences_hold_all_of_a_text(text: str, break_lines: bool) -> None:
    spans = sentence_spans(text, break_lines=break_lines)
    assert all(a < b <= c for (a, b), (c, _) in pairwise(spans))
    kept = "".join(text[start:end] for start, end in spans)
    assert "".join(kept.split()) == "".join(text.split())


MARKED = st.lists(
    st.one_of(
        st.sampled_from(
            ["[1]", "[2, 9]", "［３］", " “", "” ", "「", "」", '"', ". ", "\n", "。", "F3", "pump ", "["]
        ),
        st.text(max_size=5),
    ),
    max_size=25,
).map("".join)


@given(MARKED)
def test_what_is_kept_can_be_trusted_and_checking_twice_changes_nothing(text: str) -> None:
    evidence = [passage(1, "The fuse F3 feeds the pump."), passage(2, "pump F3")]
    checked = check_citations(text, evidence)
    assert {one.number for one in checked.citations} <= {1, 2}
    for one in checked.citations:
        assert one.quote is None or stands_in(one.quote, evidence[one.number - 1].body)
    again = check_citations(checked.text, evidence)
    assert [one.number for one in again.citations] == [one.number for one in checked.citations]


@given(ANYTHING, st.lists(ANYTHING, min_size=1, max_size=4), TAGS)
def test_no_document_leaves_its_fence(question: str, bodies: list[str], tag: str) -> None:
    evidence = [passage(number, body) for number, body in enumerate(bodies, 1)]
    prompt = build_prompt(question, evidence, language=tag)
    fence = prompt.messages[0]["content"].split(" BEGIN [n]")[0].rsplit('"', 1)[1]
    text = prompt.messages[1]["content"]
    assert text.count(fence) == 2 * len(bodies)
    assert prompt.tokens <= 6000


@given(ANYTHING, st.lists(ANYTHING, max_size=4), TAGS)
def test_an_extract_quotes_what_is_there(question: str, bodies: list[str], tag: str) -> None:
    evidence = [passage(number, body) for number, body in enumerate(bodies, 1)]
    result = extractive_answer(question, evidence, tag)
    assert result.grounded == bool(result.citations)
    for one in result.citations:
        assert one.quote
        assert stands_in(one.quote, evidence[one.number - 1].body)
        assert one.quote in result.text
