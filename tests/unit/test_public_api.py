from __future__ import annotations

import subprocess
import sys

import pytest

import babelens

PUBLIC = [
    "LANGUAGES",
    "Answer",
    "BabelensError",
    "Caption",
    "Captioner",
    "Citation",
    "Collection",
    "CollectionError",
    "CollectionInfo",
    "CollectionLockedError",
    "CollectionNotFoundError",
    "CorrectionInfo",
    "CorruptCatalogError",
    "CorruptIndexError",
    "DatasetError",
    "DescribeReport",
    "Embeddings",
    "Encoder",
    "EncoderFingerprint",
    "EncoderMismatchError",
    "ExportError",
    "ExportReport",
    "FilterError",
    "GenerationError",
    "Generator",
    "Hit",
    "HubnessReport",
    "ImageEncoder",
    "IncompleteReindexError",
    "IndexInfo",
    "IndexStudy",
    "IngestReport",
    "InvalidQueryError",
    "Item",
    "Language",
    "LanguageGain",
    "MalformedDataError",
    "MissingExtraError",
    "ModelInfo",
    "PassageEncoder",
    "PassageInfo",
    "PassageModelInfo",
    "PassageReport",
    "PendingReindex",
    "Query",
    "Reason",
    "ReindexReport",
    "ResultChanges",
    "Route",
    "RoutingReport",
    "SearchResult",
    "Skip",
    "Source",
    "StorageFullError",
    "StudyPlan",
    "Term",
    "Text",
    "TextEncoder",
    "TrainingError",
    "Translation",
    "Translator",
    "UnknownItemError",
    "UnknownLanguageError",
    "UnknownModelError",
    "UnreadableFileError",
    "VerifyReport",
    "WeightsUnavailableError",
    "__version__",
    "encode_image",
    "encode_text",
    "generate_caption",
    "get_language",
    "list_models",
    "list_passage_encoders",
    "load_captioner",
    "load_encoder",
    "load_passage_encoder",
    "load_translator",
    "resolve_collection_path",
    "translate",
]


def test_the_public_names_are_pinned() -> None:
    assert sorted(babelens.__all__) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_can_be_had(name: str) -> None:
    assert getattr(babelens, name) is not None


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'helpers'"):
        _ = babelens.helpers


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = "numpy", "PIL", "faiss", "onnxruntime", "torch", "sqlite3"
    code = f"import sys, babelens; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
