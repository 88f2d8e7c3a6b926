"""Exporting a small torch encoder, and the gate that int8 has to pass."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

torch = pytest.importorskip("torch", reason="exporting needs pip install 'babelens[torch]'")
pytest.importorskip("onnxscript", reason="exporting needs pip install 'babelens[torch]'")

from babelens.errors import ExportError  # noqa: E402
from babelens.models import export, onnx_export  # noqa: E402
from babelens.models.encoder import TwoTowerEncoder  # noqa: E402
from babelens.models.export import export_encoder, quickest  # noqa: E402
from babelens.models.ngrams import NgramTokenizer  # noqa: E402
from babelens.models.onnx_export import to_int8  # noqa: E402
from babelens.models.preprocess import Preprocess  # noqa: E402
from babelens.models.registry import load_encoder  # noqa: E402
from babelens.models.towers import ImageTower, TextTower  # noqa: E402

SIZE, DIM, WIDTH, IDS = 8, 16, 96, 256
TEXTS = [
    f"{colour} {thing}" for colour in ("red", "green", "blue") for thing in ("car", "dog", "house", "犬")
]


class Pictures(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Linear(3 * SIZE * SIZE, WIDTH)
        self.head = torch.nn.Linear(WIDTH, DIM)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.body(pixels.flatten(1))))


class Texts(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(IDS, WIDTH)
        self.head = torch.nn.Linear(WIDTH, DIM)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        kept = mask.unsqueeze(-1).to(torch.float32)
        return self.head((self.table(ids) * kept).sum(1) / kept.sum(1))


def build(seed: int = 0, *, outlier: float = 1.0) -> TwoTowerEncoder:
    """``outlier`` makes one activation that much larger than the others, without changing a vector."""
    torch.manual_seed(seed)
    pictures, texts = Pictures().eval(), Texts().eval()
    with torch.no_grad():
        pictures.body.weight[0] *= outlier
        pictures.body.bias[0] *= outlier
        pictures.head.weight[:, 0] /= outlier

    def image_forward(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            return pictures(torch.from_numpy(pixels)).numpy()

    def text_forward(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        with torch.no_grad():
            return texts(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()

    rule = Preprocess(SIZE, "crop", (0.48, 0.46, 0.41), (0.27, 0.26, 0.28))
    tokenizer = NgramTokenizer(buckets=IDS, max_length=40)
    return TwoTowerEncoder(
        "small",
        f"seed{seed}",
        ImageTower(DIM, rule, (), "PyTorch", lambda: image_forward, module=lambda: pictures),
        TextTower(DIM, lambda: tokenizer, (), "PyTorch", lambda: text_forward, module=lambda: texts),
        languages=("en", "ja"),
    )


@pytest.fixture(scope="module")
def encoder() -> TwoTowerEncoder:
    return build()


@pytest.fixture(scope="module")
def pixels(encoder: TwoTowerEncoder) -> list[NDArray[np.uint8]]:
    drawn = np.random.default_rng(0).integers(0, 256, (120, 20, 30, 3), dtype=np.uint8)
    return [encoder.prepare(Image.fromarray(picture)) for picture in drawn]


def test_an_export_is_the_same_encoder_without_torch(
    encoder: TwoTowerEncoder, pixels: Sequence[NDArray[np.uint8]], tmp_path: Path
) -> None:
    made = export_encoder(encoder, tmp_path / "out", precision="fp32", pictures=pixels[:12], texts=TEXTS)
    served = load_encoder(made.folder)
    assert served.fingerprint == encoder.fingerprint
    np.testing.assert_allclose(served.encode_prepared(pixels), encoder.encode_prepared(pixels), atol=1e-5)
    for count in (1, 5, len(TEXTS)):
        np.testing.assert_allclose(
            served.encode_texts(TEXTS[:count]), encoder.encode_texts(TEXTS[:count]), atol=1e-5
        )
    assert made.gate.overlap_pictures == made.gate.overlap_texts == 1.0
    assert made.bytes == sum(file.stat().st_size for file in made.folder.iterdir())


def test_int8_is_published_with_what_was_measured(
    encoder: TwoTowerEncoder, pixels: Sequence[NDArray[np.uint8]], tmp_path: Path
) -> None:
    whole = export_encoder(encoder, tmp_path / "fp32", precision="fp32", pictures=pixels, texts=TEXTS)
    made = export_encoder(encoder, tmp_path / "int8", precision="int8", pictures=pixels, texts=TEXTS)
    about = json.loads((made.folder / "encoder.json").read_text())
    assert made.bytes < 0.5 * whole.bytes
    assert about["weights"] == "int8"
    assert about["gate"]["pictures"] == 120
    assert 0.98 <= about["gate"]["overlap_pictures"] < 1.0
    assert 0.98 < made.gate.cosine < 0.99999


def test_int8_that_ranks_otherwise_is_not_published(
    pixels: Sequence[NDArray[np.uint8]], tmp_path: Path
) -> None:
    spoilt = build(outlier=2000.0)
    with pytest.raises(ExportError, match="rank otherwise"):
        export_encoder(spoilt, tmp_path / "int8", precision="int8", pictures=pixels, texts=TEXTS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_openvino_runs_the_same_files(
    encoder: TwoTowerEncoder,
    pixels: Sequence[NDArray[np.uint8]],
    tmp_path: Path,
    precision: export.Precision,
) -> None:
    pytest.importorskip("openvino", reason="needs pip install 'babelens[openvino]'")
    made = export_encoder(
        encoder, tmp_path / "ov", precision=precision, to="openvino", pictures=pixels, texts=TEXTS
    )
    served = load_encoder(made.folder)
    assert served.runtime == f"OpenVINO, {precision}"
    assert served.fingerprint == encoder.fingerprint
    atol = 1e-5 if precision == "fp32" else 0.02
    np.testing.assert_allclose(served.encode_prepared(pixels), encoder.encode_prepared(pixels), atol=atol)
    np.testing.assert_allclose(served.encode_texts(TEXTS), encoder.encode_texts(TEXTS), atol=atol)


def test_a_precision_that_a_runtime_does_not_have(encoder: TwoTowerEncoder, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no int8 export to openvino"):
        export_encoder(encoder, tmp_path / "x", precision="int8", to="openvino", pictures=[], texts=[])


def test_too_few_pictures_cannot_judge_int8(encoder: TwoTowerEncoder, tmp_path: Path) -> None:
    few = [np.zeros((SIZE, SIZE, 3), dtype=np.uint8)] * 20
    with pytest.raises(ExportError, match="20 pictures are too few"):
        export_encoder(encoder, tmp_path / "int8", precision="int8", pictures=few, texts=TEXTS)


def test_a_folder_that_is_no_export_is_left_alone(
    encoder: TwoTowerEncoder, pixels: Sequence[NDArray[np.uint8]], tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "dear.jpg").write_bytes(b"x")
    with pytest.raises(ExportError, match="is no encoder"):
        export_encoder(encoder, tmp_path / "photos", precision="fp32", pictures=pixels[:3], texts=TEXTS)
    assert [file.name for file in (tmp_path / "photos").iterdir()] == ["dear.jpg"]


def test_the_quickest_export_of_this_very_model_is_chosen(
    encoder: TwoTowerEncoder, pixels: Sequence[NDArray[np.uint8]], tmp_path: Path
) -> None:
    made = export_encoder(encoder, tmp_path / "made", precision="fp32", pictures=pixels[:3], texts=TEXTS)
    about = json.loads((made.folder / "encoder.json").read_text())
    for name, ratio in (("slow", 0.5), ("quick", 3.0), ("quicker", 4.0)):
        shutil.copytree(made.folder, tmp_path / "exports" / name)
        about["gate"].update(speed=10 * ratio, speed_before=10)
        (tmp_path / "exports" / name / "encoder.json").write_text(json.dumps(about))
    chosen = quickest(encoder, tmp_path / "exports")
    assert chosen.image_tower.files[0].parent.name == "quicker"
    assert "4.0 times" in (chosen.why or "")
    assert chosen.fingerprint == encoder.fingerprint
    assert quickest(build(seed=1), tmp_path / "exports").runtime == "PyTorch"


def test_a_slower_export_is_not_chosen(
    encoder: TwoTowerEncoder, pixels: Sequence[NDArray[np.uint8]], tmp_path: Path
) -> None:
    made = export_encoder(encoder, tmp_path / "slow", precision="fp32", pictures=pixels[:3], texts=TEXTS)
    about = json.loads((made.folder / "encoder.json").read_text())
    about["gate"].update(speed=9, speed_before=10)
    (made.folder / "encoder.json").write_text(json.dumps(about))
    assert quickest(encoder, tmp_path) is encoder


def test_weights_past_what_one_file_holds_lie_beside_the_graph(
    encoder: TwoTowerEncoder,
    pixels: Sequence[NDArray[np.uint8]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(onnx_export, "_ONE_FILE", 1000)
    made = export_encoder(encoder, tmp_path / "out", precision="fp32", pictures=pixels[:3], texts=TEXTS)
    assert any(file.suffix == ".data" for file in made.folder.iterdir())
    np.testing.assert_allclose(
        load_encoder(made.folder).encode_prepared(pixels[:3]), encoder.encode_prepared(pixels[:3]), atol=1e-5
    )


def test_quantising_leaves_the_users_logging_alone(encoder: TwoTowerEncoder, tmp_path: Path) -> None:
    before = list(logging.getLogger().filters)
    tower = replace(encoder.image_tower)
    export._write_image(tower, tmp_path / "image.onnx", "int8")
    assert logging.getLogger().filters == before


def test_int8_by_hand() -> None:
    small, scale = to_int8(np.array([[127.0, -63.5], [0.0, 0.0]], dtype=np.float32))
    assert small.tolist() == [[127, -64], [0, 0]]
    assert scale.tolist() == [[1.0], [1.0]]
