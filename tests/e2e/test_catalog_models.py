"""Every source of every model of the catalogue, published in miniature under its own names and loaded as users do.

The checkpoints are small and random; their layout, the names of their files and the commits are the catalogue's. What
else a repository holds lies beside them, so that a file too many is noticed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx", reason="exporting a test model needs onnx: pip install 'babelens[torch]'")
pytest.importorskip("torch", reason="the checkpoints need torch: pip install 'babelens[torch]'")
pytest.importorskip("transformers", reason="the checkpoints need it: pip install 'babelens[torch]'")

from babelens.models.catalog import CatalogRow, Source, TowerFiles, read_catalog
from tests.checkpoints import text_towers
from tests.checkpoints.onnx_folders import write_immich, write_transformersjs
from tests.checkpoints.openclip import XLMR, model_cfg, write_openclip
from tests.checkpoints.transformers import FAMILIES
from tests.hub import Hub, running_hub

ROWS = {name: row for name, row in read_catalog().items() if not row.bundled}
# ONNX first: none of those may need torch.
SOURCES = {
    f"{row.name}-{source.runtime}": (row, source)
    for runtime in ("onnx", "torch")
    for row in ROWS.values()
    for source in row.sources
    if source.runtime == runtime
}

# Each model in a process of its own would import torch ten times.
SCRIPT = """
import json, sys
from PIL import Image
from babelens.models.registry import list_models, load_encoder

picture = Image.new("RGB", (70, 45), (200, 30, 30))
texts = ["a red car", "una macchina rossa", "家の前に赤い車があります。"]
for line in sys.stdin:
    asked = json.loads(line)
    answer = {}
    try:
        encoder = load_encoder(asked["model"], runtime=asked["runtime"])
        vectors = [*encoder.encode_prepared([encoder.prepare(picture)]), *encoder.encode_texts(texts)]
        answer["dims"] = [len(vector) for vector in vectors]
        answer["norms"] = [float((vector ** 2).sum()) for vector in vectors]
        answer["texts"] = len({vector.tobytes() for vector in vectors})
        answer["runtime"] = encoder.runtime
        answer["fingerprint"] = repr(encoder.fingerprint)
        answer["torch"] = bool({"torch", "transformers"} & set(sys.modules))
        answer["here"] = [row.name for row in list_models() if row.here]
    except Exception as error:
        answer["error"] = f"{type(error).__name__}: {error}"
    print(json.dumps(answer), flush=True)
"""


class Session:
    """A process that loads models from a hub, its cache a new folder."""

    def __init__(self, hub: Hub, home: Path) -> None:
        keep = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        places = {"HOME": str(home), "HF_HOME": str(home / "hf"), "BABELENS_CACHE": str(home / "cache")}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**keep, **places, "HF_ENDPOINT": hub.url, "LANG": "C.UTF-8"},
        )

    def load(self, model: str, runtime: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"model": model, "runtime": runtime}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer

    def close(self) -> None:
        self.process.communicate()


# What a repository holds beside the files that are asked of it.
DECOYS = (
    "README.md", "pytorch_model.bin", "tf_model.h5", "onnx/model.onnx", "onnx/vision_model_quantized.onnx",
    "onnx/text_model_fp16.onnx", "visual/fp16/model.armnn", "openvino/openvino_model.bin",
)  # fmt: skip


def kind_of(part: TowerFiles) -> tuple[str, str]:
    """The layout of a repository of the catalogue and the family in it, by the files that are asked of it."""
    files, repo = set(part.files), part.repo.lower()
    family = next((name for name in ("siglip2", "siglip", "m-clip", "xlm-roberta") if name in repo), "clip")
    for mark, layout in (
        ("visual/model.onnx", "immich"),
        ("onnx/vision_model.onnx", "transformers.js"),
        ("modules.json", "sentence-transformers"),
        ("open_clip_config.json", "openclip"),
    ):
        if mark in files:
            return layout, family
    return "transformers", family


def write(folder: Path, layout: str, family: str) -> None:
    if layout == "immich" and family == "siglip":
        write_immich(folder, "xlmr", tokenizer_kwargs={"clean": "canonicalize"})
    elif layout == "immich":
        write_immich(folder, "xlmr" if family == "xlm-roberta" else "clip")
    elif layout == "transformers.js":
        write_transformersjs(folder, family)
    elif layout == "sentence-transformers":
        text_towers.add_onnx(text_towers.sentence_tower(folder))
    elif layout == "openclip" and family == "xlm-roberta":
        write_openclip(folder, model_cfg(text_cfg=XLMR), binary=True)
    elif layout == "openclip":
        write_openclip(folder, model_cfg())
    elif family == "m-clip":
        text_towers.mclip(folder)
    else:
        FAMILIES[family](folder)
    for decoy in DECOYS:
        if not (folder / decoy).exists():
            (folder / decoy).parent.mkdir(parents=True, exist_ok=True)
            (folder / decoy).write_bytes(b"not asked for")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub with all repositories of the catalogue, at the commits that it names."""
    root = tmp_path_factory.mktemp("published")
    parts = {part.repo: part for _, source in SOURCES.values() for part in source.repositories}
    with running_hub() as server:
        for repo, part in parts.items():
            kind = kind_of(part)
            if not (root / "-".join(kind)).exists():
                write(root / "-".join(kind), *kind)
            server.repositories[repo] = root / "-".join(kind)
            if part.revision:
                server.commits[repo] = part.revision
        yield server


@pytest.fixture(scope="module")
def session(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    session = Session(hub, tmp_path_factory.mktemp("home"))
    yield session
    session.close()


@pytest.mark.parametrize(("row", "source"), SOURCES.values(), ids=list(SOURCES))
def test_a_source_is_fetched_loaded_and_never_asked_for_again(
    row: CatalogRow, source: Source, hub: Hub, session: Session
) -> None:
    hub.requests.clear()
    first = session.load(row.name, source.runtime)
    assert len(set(first["dims"])) == 1
    assert first["norms"] == pytest.approx([1.0] * 4, abs=1e-5)
    assert first["texts"] == 4, "every text has a vector of its own"
    assert row.name in first["here"]
    assert ("ONNX" in first["runtime"]) == (source.runtime == "onnx")
    assert first["torch"] == (source.runtime == "torch")
    named = {
        part.repo: {name for file in part.files for name in file.removesuffix("?").split("|")}
        for part in source.repositories
    }
    for line in hub.requests:
        repo, _, file = line.split(" ", 1)[1].strip("/").partition("/resolve/")
        assert file.partition("/")[2] in named[repo], line
    hub.requests.clear()
    assert session.load(row.name, source.runtime) == first
    assert hub.requests == []
