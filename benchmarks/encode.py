"""Pictures and queries through ViT-B/32 with random weights: Babelens' quickest runtime against what people write.

Both sides get the same JPEG files and the same checkpoint, made here. What a notebook does is one picture at a time
through sentence-transformers; what a script does is batches through transformers, both eager in float32. Babelens goes
the whole way into a collection, on its export in int8. Needs the extras torch and reference.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from babelens.ingest import ingest
from babelens.models.export import write_towers
from babelens.models.registry import load_encoder
from babelens.storage.catalog import Catalog
from benchmarks.ingest import _photographs

ONE_AT_A_TIME, BATCHED, QUERY = 5.0, 3.0, 2.0  # what the project promises
BATCH = 16
QUERIES = (
    "a red car in front of a house",
    "two dogs play on the beach",
    "sunset",
    "a plate of food on a table",
)


def run(quick: bool, cache: Path) -> dict[str, float]:
    """Prints a table; returns how many times quicker Babelens is."""
    try:
        import sentence_transformers  # noqa: F401
        import transformers
    except ImportError:
        print("skipped: pip install 'babelens[torch,reference]'")
        return {}
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    folder = _checkpoint(cache / "clip-vit-b-32")
    count = 64 if quick else 256
    files = _photographs(cache / f"photos-encode-{count}", (500, 375), count, 90)
    exported = _export(folder, cache / "clip-vit-b-32-int8")
    contenders = {
        "Babelens, int8, into a collection": _into_a_collection(exported, cache),
        "sentence-transformers, one at a time": _one_at_a_time(folder),
        "transformers, batches of 16, fp32": _batches(folder),
    }
    best = _turns(
        {name: lambda work=work: work(files) for name, work in contenders.items()}, 2 if quick else 3
    )
    ours = best["Babelens, int8, into a collection"]
    print(f"{'from JPEG files of 500 pixels':<40}{'pictures/s':>12}{'ratio':>8}")
    for name, seconds in best.items():
        print(f"{name:<40}{len(files) / seconds:>12.1f}{seconds / ours:>8.1f}", flush=True)
    query = _turns({"Babelens": _query(load_encoder(exported)), "transformers": _eager_query(folder)}, 20)
    print(f"\n{'one text query':<40}{'ms':>12}{'ratio':>8}")
    for name, seconds in query.items():
        print(f"{name:<40}{1000 * seconds / len(QUERIES):>12.1f}{seconds / query['Babelens']:>8.1f}")
    ratios = {
        "one at a time": best["sentence-transformers, one at a time"] / ours,
        "batched": best["transformers, batches of 16, fp32"] / ours,
        "query": query["transformers"] / query["Babelens"],
    }
    for (name, ratio), limit in zip(ratios.items(), (ONE_AT_A_TIME, BATCHED, QUERY), strict=True):
        print(f"{name}: {'at least' if ratio >= limit else 'UNDER'} {limit:g}")
    return ratios


def _turns(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Seconds of each, in turns, the best of a few rounds after one to warm up."""
    best = dict.fromkeys(works, float("inf"))
    for turn in range(rounds + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if turn:
                best[name] = min(best[name], time.perf_counter() - start)
    return best


# -- the same checkpoint for all -----------------------------------------------------------------------------


def _checkpoint(folder: Path) -> Path:
    """OpenAI's ViT-B/32 in its published layout, with random weights and a vocabulary of bytes."""
    if (folder / "model.safetensors").is_file():
        return folder
    import torch
    import transformers
    from tokenizers import pre_tokenizers

    folder.mkdir(parents=True, exist_ok=True)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    marks = ["<|startoftext|>", "<|endoftext|>"]
    tokens = [
        *letters,
        *(f"{letter}</w>" for letter in letters),
        *(f"unused{n}" for n in range(48_894)),
        *marks,
    ]
    tokenizer = transformers.CLIPTokenizer(
        vocab={t: n for n, t in enumerate(tokens)}, merges=[], model_max_length=77
    )
    tokenizer.save_pretrained(folder)
    ends = {"bos_token_id": len(tokens) - 2, "eos_token_id": len(tokens) - 1, "pad_token_id": len(tokens) - 1}
    torch.manual_seed(0)
    config = transformers.CLIPConfig(text_config={"vocab_size": len(tokens), **ends}, projection_dim=512)
    transformers.CLIPModel(config).save_pretrained(folder)
    rule = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 224},
        "crop_size": {"height": 224, "width": 224},
        "do_center_crop": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(rule))
    return folder


def _export(folder: Path, out: Path) -> Path:
    """The towers in int8. The gate is not asked: random weights put everything equally far from everything."""
    if not (out / "encoder.json").is_file():
        out.mkdir(parents=True, exist_ok=True)
        write_towers(load_encoder(folder, runtime="torch"), out, "int8")
    return out


# -- the contenders ------------------------------------------------------------------------------------------


def _into_a_collection(exported: Path, cache: Path) -> Callable[[list[Path]], object]:
    encoder = load_encoder(exported)
    turns = iter(range(1000))

    def work(files: list[Path]) -> None:
        with Catalog.create(cache / f"encode-{os.getpid()}-{next(turns)}", {}) as catalog:
            ingest(catalog, encoder, [files[0].parent])
            assert catalog.count_items() == len(files)

    return work


def _one_at_a_time(folder: Path) -> Callable[[list[Path]], object]:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import CLIPModel

    model = SentenceTransformer(modules=[CLIPModel(str(folder))], device="cpu")
    return lambda files: [model.encode(Image.open(file), show_progress_bar=False) for file in files]


def _batches(folder: Path) -> Callable[[list[Path]], object]:
    import torch
    import transformers

    model = transformers.CLIPModel.from_pretrained(folder).eval()
    processor = transformers.CLIPImageProcessorPil.from_pretrained(folder)

    def work(files: list[Path]) -> None:
        for start in range(0, len(files), BATCH):
            images = [Image.open(file) for file in files[start : start + BATCH]]
            with torch.inference_mode():
                model.get_image_features(**processor(images, return_tensors="pt"))

    return work


def _query(encoder: Any) -> Callable[[], object]:
    return lambda: [encoder.encode_texts([query]) for query in QUERIES]


def _eager_query(folder: Path) -> Callable[[], object]:
    import torch
    import transformers

    model = transformers.CLIPModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    def work() -> None:
        for query in QUERIES:
            with torch.inference_mode():
                model.get_text_features(
                    **tokenizer([query], return_tensors="pt", padding=True, truncation=True)
                )

    return work
