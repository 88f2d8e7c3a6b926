from __future__ import annotations

from pathlib import Path

import pytest

from babelens.errors import UnreadableFileError
from babelens.sources.documents import Document, read_document


def read(tmp_path: Path, name: str, data: str | bytes) -> Document:
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_document(path)


def bodies(document: Document) -> list[tuple[tuple[str, ...], str]]:
    return [(p.headings, p.body) for p in document.passages]


def test_markdown_keeps_headings_tables_and_code(tmp_path: Path) -> None:
    document = read(
        tmp_path,
        "manual.md",
        "---\ntitle: x\n---\n# Pump\n\nThe *pump* is\nfed by `F3` ([see](x.html) Fig. 2).\n\n## Parts\n\n"
        "| part | count |\n|---|---|\n| fuse | 2 |\n\n- one\n- two\n\n```\nrun it\n```\n",
    )
    assert document.title == "Pump"
    assert bodies(document) == [
        (("Pump",), "The pump is fed by F3 (see Fig. 2)."),
        (("Pump", "Parts"), "part | count\nfuse | 2"),
        (("Pump", "Parts"), "one\ntwo\nrun it"),
    ]
    assert document.passages[0].mentions == ("figure 2",)
    assert document.passages[1].table


def test_html_drops_what_is_not_shown(tmp_path: Path) -> None:
    document = read(
        tmp_path,
        "manual.html",
        "<html><head><title>t</title><style>p{}</style></head><body><script>alert('<p>no</p>')</script>"
        "<h1>Pump &amp; fuse</h1><p>The <b>pump</b>.</p><svg><text>no</text></svg><h2>Parts</h2>"
        "<table><tr><th>part<th>count<tr><td><p>fuse</p><td>2</table><p>After<br>it",
    )
    assert bodies(document) == [
        (("Pump & fuse",), "The pump."),
        (("Pump & fuse", "Parts"), "part | count\nfuse | 2"),
        (("Pump & fuse", "Parts"), "After\nit"),
    ]


def test_plain_text_has_paragraphs_and_underlined_headings(tmp_path: Path) -> None:
    document = read(
        tmp_path, "manual.txt", "Pump\n====\n\nFirst line\nsecond line.\n\nNext.\n\nParts\n-----\nFuse.\n"
    )
    assert bodies(document) == [(("Pump",), "First line\nsecond line.\nNext."), (("Pump", "Parts"), "Fuse.")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_text_is_decoded(tmp_path: Path, encoding: str) -> None:
    document = read(tmp_path, "manual.txt", "Die Glühbirne wird über den Schalter geprüft.".encode(encoding))
    assert document.passages[0].body == "Die Glühbirne wird über den Schalter geprüft."
    assert document.passages[0].language == "de"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("コーヒーミルの電源を切ってから掃除してください。", "ja"),
        ("افصل الجهاز عن التيار قبل التنظيف.", "ar"),
        ("सफाई से पहले मशीन बंद करें।", "hi"),
        ("Apague la máquina antes de limpiarla y espere unos minutos.", "es"),
    ],
)
def test_passages_know_their_language(tmp_path: Path, text: str, language: str) -> None:
    assert read(tmp_path, "manual.txt", text).passages[0].language == language


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("empty.txt", b"  \n ", "empty"),
        ("zeros.txt", b"\x7fELF\0\0\0", "not text"),
        ("nothing.html", b"<script>x</script>", "no text"),
        ("letter.docx", b"PK\x03\x04", "not a PDF"),
        ("text.pdf", b"only words", "not a PDF"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableFileError, match=reason):
        read(tmp_path, name, data)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="No such file"):
        read_document(tmp_path / "none.pdf")
