"""Towers on PyTorch: where they run, how their weights are read, and numbers in and out.

Everything that imports torch or transformers for an encoder goes through here, so that a missing extra, a damaged file
and a weight that is not there read the same whatever the family.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final

from ..errors import BabelensError, MissingExtraError, WeightsUnavailableError
from ..vectors import Floats
from .towers import ImageForward, TextForward, Tokens

RUNTIME: Final = "PyTorch"
WEIGHTS: Final = ("model.safetensors", "pytorch_model.bin")
DEVICE_VARIABLE: Final = "BABELENS_DEVICE"


def import_torch() -> Any:
    """The module. Raises :class:`MissingExtraError`."""
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("torch", "torch") from error
    return torch


@contextmanager
def quiet_transformers() -> Iterator[Any]:
    """The module, with its bars, notes and warnings off: what matters of them is raised as an error here.

    Raises :class:`MissingExtraError`.
    """
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError("transformers", "torch") from error
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield transformers
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@cache
def device() -> Any:
    """The best there is: CUDA, then Apple's GPU, then the CPU; ``BABELENS_DEVICE`` overrules."""
    torch = import_torch()
    wanted = os.environ.get(DEVICE_VARIABLE)
    if wanted:
        try:
            return torch.empty(0, device=wanted).device
        except Exception as error:  # each kind of device has its own ways to be absent
            raise BabelensError(
                f"{DEVICE_VARIABLE} names {wanted!r}, which is not here: {str(error).splitlines()[0]}",
                hint="Names are cpu, cuda, cuda:1 and mps; without it the best there is will be taken.",
            ) from error
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def serving_autocast() -> AbstractContextManager[Any]:
    """Half precision on a GPU. Not on a CPU: int8 exports are quicker there and are compared before they are used."""
    torch = import_torch()
    where = device()
    if where.type == "cpu":
        return nullcontext()
    brain = where.type == "cuda" and torch.cuda.is_bf16_supported()
    context: AbstractContextManager[Any] = torch.autocast(
        where.type, torch.bfloat16 if brain else torch.float16
    )
    return context


def image_forward(module: Any) -> ImageForward:
    """A module that takes pixels (n, 3, h, w) and gives (n, dim), as a function of arrays."""
    torch = import_torch()
    module = module.eval().to(device(), memory_format=torch.channels_last)

    def forward(pixels: Floats) -> Floats:
        tensor = torch.from_numpy(pixels).to(device(), memory_format=torch.channels_last)
        with torch.inference_mode(), serving_autocast():
            return _array(module(tensor))

    return forward


def text_forward(module: Any) -> TextForward:
    """A module that takes ids and mask (n, length) and gives (n, dim), as a function of arrays."""
    torch = import_torch()
    module = module.eval().to(device())

    def forward(ids: Tokens, mask: Tokens) -> Floats:
        tensors = (torch.from_numpy(array).to(device()) for array in (ids, mask))
        with torch.inference_mode(), serving_autocast():
            try:
                return _array(module(*tensors))
            except IndexError as error:  # of an embedding
                raise WeightsUnavailableError(
                    f"The text tower knows no id as high as {ids.max()}, or no text as long as {ids.shape[1]} ids: its "
                    "tokenizer and its weights do not belong together.",
                    hint="Fetch the model again, or put its own tokenizer beside its weights.",
                ) from error

    return forward


def _array(result: Any) -> Floats:
    vectors: Floats = result.float().cpu().numpy()
    return vectors


def image_adapter(module: Any, call: Callable[[Any, Any], Any]) -> Any:
    """A module whose forward is ``call(module, pixels)``: the picture tower of a model that has several parts."""
    base = import_torch().nn.Module

    class Tower(base):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, pixels: Any) -> Any:
            return call(self.inner, pixels)

    return Tower()


def text_adapter(module: Any, call: Callable[[Any, Any, Any], Any]) -> Any:
    """A module whose forward is ``call(module, ids, mask)``: the text tower of a model that has several parts."""
    base = import_torch().nn.Module

    class Tower(base):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        # No *inputs here: an export to ONNX names inputs by the parameters.
        def forward(self, ids: Any, mask: Any) -> Any:
            return call(self.inner, ids, mask)

    return Tower()


@contextmanager
def swapped_gelu(*modules: Any) -> Iterator[bool]:
    """Runs modules with QuickGELU where they have GELU, and the reverse; yields whether they have either.

    Weights were published with the wrong one named in their configuration, which costs accuracy and raises no error.
    """
    with quiet_transformers() as transformers:
        kinds = transformers.activations.QuickGELUActivation, transformers.activations.GELUActivation
    other = {kinds[0]: kinds[1](), kinds[1]: kinds[0]()}
    found = {
        (parent, name): child
        for module in modules
        for parent in module.modules()
        for name, child in parent.named_children()
        if type(child) in other
    }
    for (parent, name), child in found.items():
        setattr(parent, name, other[type(child)])
    try:
        yield bool(found)
    finally:
        for (parent, name), child in found.items():
            setattr(parent, name, child)


# -- weights -------------------------------------------------------------------------------------------------


def find_weights(folder: Path, *names: str) -> tuple[Path, ...]:
    """The first of ``names`` that is there, or the parts that a ``.index.json`` beside it lists.

    Raises :class:`WeightsUnavailableError` that says what is missing.
    """
    import json

    for name in names:
        index = folder / f"{name}.index.json"
        if index.is_file():
            try:
                listed = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise WeightsUnavailableError(f"{index} lists no files of weights: {error!r}.") from error
            parts = tuple(folder / part for part in sorted(listed))
            for part in parts:
                if not part.is_file():
                    raise WeightsUnavailableError(
                        f"{part} is missing, though {index.name} names it.", hint="Fetch the model again."
                    )
            return parts
        if (folder / name).is_file():
            return (folder / name,)
    raise WeightsUnavailableError(
        f"{folder} has no weights: there is no {' nor '.join(names)}.", hint="Fetch the model again."
    )


def read_weights(files: tuple[Path, ...]) -> dict[str, Any]:
    """All tensors of some files. Pickles are read as tensors only, so that they can run nothing.

    Raises :class:`WeightsUnavailableError` that names the file.
    """
    torch = import_torch()
    tensors: dict[str, Any] = {}
    for file in files:
        try:
            if file.suffix == ".safetensors":
                from safetensors.torch import load_file

                tensors.update(load_file(file))
            else:
                read = torch.load(file, map_location="cpu", weights_only=True)
                tensors.update(read.get("state_dict", read))
        except OSError as error:
            raise WeightsUnavailableError(f"{file} cannot be read: {error.strerror or error}.") from error
        except Exception as error:  # safetensors and pickle have errors of their own
            raise WeightsUnavailableError(
                f"{file} is damaged or not what its name says: {_reason(error)}",
                hint="Fetch the model again.",
            ) from error
    return tensors


# Buffers that older versions saved and newer ones compute, and the pooler of BERT, which no tower uses.
_LEFT_OVER: Final = ("position_ids", "pooler.dense.weight", "pooler.dense.bias")


def _check_header(file: Path) -> None:
    """Safetensors say how long they are. Raises :class:`WeightsUnavailableError` that names the file."""
    if file.suffix != ".safetensors":
        return
    from safetensors import safe_open

    try:
        with safe_open(file, "numpy"):
            pass
    except Exception as error:  # of safetensors, or of the system
        raise WeightsUnavailableError(
            f"{file} is damaged or incomplete: {error}", hint="Fetch the model again."
        ) from error


def _reason(error: Exception) -> str:
    """What failed, in a line. Of a pickle that holds more than tensors torch tells at length how to run it anyway."""
    if isinstance(error, UnpicklingError):
        return "it is no pickle of tensors alone, and any other could run code"
    return (str(error).strip() or repr(error)).splitlines()[0]


def load_pretrained(
    model_class: str, folder: Path, *, unused: tuple[str, ...] = (), more: bool = False
) -> Any:
    """A model of transformers in float32, with every one of its weights from the folder.

    ``unused`` are parts of names that need not be in the folder, since they are never run; with ``more`` the folder may
    hold weights that the model has no place for.

    Raises :class:`WeightsUnavailableError` that names what is damaged, missing, left over, or of another shape.
    """
    for file in find_weights(folder, *WEIGHTS):
        _check_header(file)
    with quiet_transformers() as transformers:
        try:
            model, told = getattr(transformers, model_class).from_pretrained(
                folder,
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # told below instead, by name
                weights_only=True,
                dtype=import_torch().float32,
            )
        except (
            Exception
        ) as error:  # files and configurations fail in as many ways as there are libraries below
            raise WeightsUnavailableError(
                f"{folder} cannot be loaded as a {model_class}: {_reason(error)}",
                hint="Fetch the model again.",
            ) from error
    mismatched = [key[0] if isinstance(key, tuple) else key for key in told["mismatched_keys"]]
    extra = [key for key in told["unexpected_keys"] if not key.endswith(_LEFT_OVER)]
    missing = [key for key in told["missing_keys"] if not any(part in key for part in unused)]
    _complain(folder, sorted(missing), [] if more else sorted(extra), sorted(mismatched))
    return model


def fill(module: Any, tensors: Mapping[str, Any], source: Path, *, unused: tuple[str, ...] = ()) -> Any:
    """Puts weights into a module, every one of them: nothing stays as it was drawn at random.

    ``unused`` are beginnings of names that files have and the towers do not need. Raises
    :class:`WeightsUnavailableError` that names what is missing, left over, or of another shape.
    """
    own = module.state_dict()
    missing = sorted(set(own) - set(tensors))
    extra = sorted(name for name in set(tensors) - set(own) if not name.startswith(unused))
    other = sorted(name for name in set(own) & set(tensors) if own[name].shape != tensors[name].shape)
    _complain(source, missing, extra, other)
    module.load_state_dict({name: tensors[name] for name in own})
    return module.float()


def _complain(source: Path, missing: list[str], extra: list[str], other: list[str]) -> None:
    for names, what in ((missing, "lack"), (extra, "have no place for"), (other, "have another shape for")):
        if names:
            listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            raise WeightsUnavailableError(
                f"The weights in {source} do not fit their configuration: they {what} {listed}.",
                hint="The files may belong to different models, or to a family that Babelens does not know.",
            )
