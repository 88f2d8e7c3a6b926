from __future__ import annotations

import os
from pathlib import Path

import pytest

from babelens.errors import UnreadableFileError
from babelens.sources.scan import Scan, is_gone, sidecars_of

needs_permissions = pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")


def names(scan: Scan, root: Path) -> list[str]:
    return [os.path.relpath(file.path, root) for file in scan.files()]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        "b.png",
        "a.JPG",
        "trips/rome/c.jpg",
        "trips/d.webp",
        ".hidden.png",
        ".cache/e.png",
        "thumbs/f.png",
    ):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * len(name))
    return tmp_path / "tree"


def test_finds_every_file_but_hidden_ones_in_a_fixed_order(tree: Path) -> None:
    scan = Scan([str(tree)])
    found = ["a.JPG", "b.png", "thumbs/f.png", "trips/d.webp", "trips/rome/c.jpg"]
    assert names(scan, tree) == found
    assert names(scan, tree) == found, "a scan can be repeated"


def test_size_and_time_are_the_files(tree: Path) -> None:
    os.utime(tree / "b.png", ns=(5, 123_456_789))
    file = next(file for file in Scan([str(tree)]).files() if file.path.endswith("b.png"))
    assert (file.size, file.mtime_ns) == (5, 123_456_789)


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (["*.jpg"], [], ["a.JPG", "trips/rome/c.jpg"]),
        ([], ["*.jpg"], ["b.png", "thumbs/f.png", "trips/d.webp"]),
        ([], ["thumbs"], ["a.JPG", "b.png", "trips/d.webp", "trips/rome/c.jpg"]),
        ([], ["trips/"], ["a.JPG", "b.png", "thumbs/f.png"]),
        (["trips/*"], [], ["trips/d.webp"]),
        (["trips/**"], [], ["trips/d.webp", "trips/rome/c.jpg"]),
        (["**/c.jpg"], [], ["trips/rome/c.jpg"]),
        (["[ab].*"], [], ["a.JPG", "b.png"]),
        (["[!a].???"], [], ["b.png", "thumbs/f.png", "trips/rome/c.jpg"]),
        (["*.png", "*.webp"], ["thumbs/*"], ["b.png", "trips/d.webp"]),
    ],
)
def test_globs(tree: Path, include: list[str], exclude: list[str], expected: list[str]) -> None:
    assert names(Scan([str(tree)], include, exclude), tree) == expected


def test_links_to_folders_are_followed_once_and_loops_end(tree: Path) -> None:
    (tree / "aa-loop").symlink_to(tree)
    (tree / "trips" / "up").symlink_to("..")
    (tree / "aa-rome").symlink_to("trips/rome")
    outside = tree.parent / "outside"
    outside.mkdir()
    (outside / "g.png").write_bytes(b"g")
    (tree / "link").symlink_to(outside)
    assert names(Scan([str(tree)]), tree) == [
        *("a.JPG", "b.png", "thumbs/f.png", "trips/d.webp", "trips/rome/c.jpg"),
        "link/g.png",
    ]


def test_a_broken_link_is_reported(tree: Path) -> None:
    (tree / "dangling.png").symlink_to(tree / "nowhere.png")
    scan = Scan([str(tree)])
    assert len(names(scan, tree)) == 5
    assert [(skip.path, skip.reason) for skip in scan.skipped] == [
        (str(tree / "dangling.png"), "link to a file that does not exist")
    ]


@needs_permissions
def test_an_unreadable_folder_is_reported_and_the_rest_is_found(tree: Path) -> None:
    (tree / "trips").chmod(0)
    try:
        scan = Scan([str(tree)])
        assert names(scan, tree) == ["a.JPG", "b.png", "thumbs/f.png"]
        assert [skip.path for skip in scan.skipped] == [str(tree / "trips")]
        assert not is_gone(str(tree / "trips" / "d.webp")), "nobody can tell"
    finally:
        (tree / "trips").chmod(0o755)


def test_a_root_that_is_not_there_is_an_error_with_advice(tree: Path) -> None:
    with pytest.raises(UnreadableFileError, match="no such file or folder") as caught:
        list(Scan([str(tree), str(tree / "gone")]).files())
    assert caught.value.hint


def test_overlapping_roots_give_each_file_once(tree: Path) -> None:
    scan = Scan([str(tree), str(tree / "trips"), str(tree / "b.png"), str(tree / "b.png")])
    assert sorted(names(scan, tree)) == ["a.JPG", "b.png", "thumbs/f.png", "trips/d.webp", "trips/rome/c.jpg"]


def test_a_hidden_file_that_is_named_is_meant(tree: Path) -> None:
    assert names(Scan([str(tree / ".hidden.png")]), tree) == [".hidden.png"]


def test_a_pipe_is_not_a_file(tree: Path) -> None:
    os.mkfifo(tree / "pipe.png")
    assert "pipe.png" not in names(Scan([str(tree)]), tree)
    with pytest.raises(UnreadableFileError, match="neither a file nor a folder"):
        list(Scan([str(tree / "pipe.png")]).files())


def test_names_that_are_not_utf8_survive(tmp_path: Path) -> None:
    name = b"caf\xe9.png"
    (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    (file,) = Scan([str(tmp_path)]).files()
    assert os.fsencode(file.path).endswith(name)


def test_sidecars_belong_to_their_picture_and_are_not_files_of_their_own(tmp_path: Path) -> None:
    for name in ("a.png", "a.txt", "a.hi.txt", "a.png.txt", "b.png", "notes.txt", "c.fr.png", "c.fr.txt"):
        (tmp_path / name).write_text(name)
    found = {Path(file.path).name: file for file in Scan([str(tmp_path)]).files()}
    assert sorted(found) == ["a.png", "b.png", "c.fr.png", "notes.txt"]
    sidecars = {(Path(s.path).name, s.language) for s in found["a.png"].sidecars}
    assert sidecars == {("a.txt", None), ("a.hi.txt", "hi"), ("a.png.txt", None)}
    assert [Path(s.path).name for s in found["c.fr.png"].sidecars] == ["c.fr.txt"]
    assert not found["b.png"].sidecars
    for name, file in found.items():
        if name.endswith(".png"):
            assert set(sidecars_of(file.path)) == set(file.sidecars)
