"""Which weights are trained, and how fast each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn

from ..errors import MissingExtraError, TrainingError
from ..training.restore import with_own_convolutions, with_plain_convolutions
from .settings import Parts, Settings
from .tunable import Tunable

# Found on `mini` and, for the others, what the papers on fine-tuning CLIP use (Wortsman et al. 2022, arXiv 2109.01903,
# Dong et al. 2022, arXiv 2212.06138; Hu et al. 2021).
_USUAL: Final[dict[bool, dict[Parts, float]]] = {
    True: {"all": 2e-3, "image": 2e-3, "text": 2e-3, "projections": 5e-3, "lora": 5e-3},
    False: {"all": 1e-5, "image": 1e-5, "text": 1e-5, "projections": 1e-3, "lora": 2e-4},
}
_BOTTOM: Final = re.compile(r"embed|table|^text\.weight\.|pre_layrnorm|class_token|positional")
_LAYER: Final = re.compile(r"\.(?:layers?|stages)\.(\d+)\.")


def usual_rate(tunable: Tunable, parts: Parts) -> float:
    """The learning rate where the user names none."""
    return _USUAL[tunable.own][parts]


def choose(tunable: Tunable, settings: Settings) -> None:
    """Marks the weights that will be trained by ``requires_grad``; adds LoRA's own, to be merged by `merge`."""
    towers = {"image": tunable.image, "text": tunable.text}
    used = {name: _used(tunable, name) for name in towers}
    for tower in towers.values():
        tower.requires_grad_(False)
    if settings.parts == "lora":
        _add_lora(tunable, settings)
        return
    for name, tower in towers.items():
        if settings.parts in ("all", name):
            for parameter in tower.parameters():
                parameter.requires_grad_(id(parameter) in used[name] or parameter.requires_grad)
        elif settings.parts == "projections":
            _last_layer(tunable, name).requires_grad_(True)
    tunable.still = frozenset(name for name in towers if not _learns(tunable, name, used[name]))


def trained(tunable: Tunable) -> dict[str, nn.Parameter]:
    """The weights that `choose` marked, by name, each once."""
    both = nn.ModuleDict({"image": tunable.image, "text": tunable.text})
    return {name: value for name, value in both.named_parameters() if value.requires_grad}


def groups(tunable: Tunable, settings: Settings) -> list[dict[str, Any]]:
    """Parameter groups for AdamW: ``rate`` is what each layer's learning rate is multiplied by.

    The embeddings are below all layers, heads above. Weight decay acts on matrices only, not on embeddings, norms and
    biases.
    """
    found = trained(tunable)
    depth = {name: _depth(name) for name in found}
    top = 1 + max((place for place in depth.values() if place is not None), default=0)
    made: dict[tuple[float, float], list[Tensor]] = {}
    for name, value in found.items():
        place = depth[name]
        below = 0 if place is None else top - place
        rate = 1.0 if settings.parts == "lora" else settings.layer_decay**below
        decay = settings.weight_decay if value.ndim >= 2 and not _BOTTOM.search(name) else 0.0
        made.setdefault((rate, decay), []).append(value)
    return [{"params": values, "rate": rate, "weight_decay": decay} for (rate, decay), values in made.items()]


def _depth(name: str) -> int | None:
    """0 for embeddings, n + 1 for layer n, None for what lies above all layers."""
    number = _LAYER.search(
        name
    )  # a projection may be numbered too: that of XLM-RoBERTa towers is two matrices
    if number:
        return int(number[1]) + 1
    return 0 if _BOTTOM.search(name) else None


def _learns(tunable: Tunable, tower: str, used: set[int]) -> bool:
    module: nn.Module = getattr(tunable, tower)
    return any(id(value) in used for value in module.parameters() if value.requires_grad)


def _used(tunable: Tunable, tower: str) -> set[int]:
    """The parameters that a tower's vectors depend on: towers may share one module, and names differ by family."""
    module: nn.Module = getattr(tunable, tower)
    before = {value: value.requires_grad for value in module.parameters()}
    with _measuring(module):
        for value in before:
            value.requires_grad_(True)
        vectors = _example(tunable, tower)
        gradients = torch.autograd.grad(vectors.sum(), list(before), allow_unused=True)
    for value, wanted in before.items():
        value.requires_grad_(wanted)
    return {id(value) for value, gradient in zip(before, gradients, strict=True) if gradient is not None}


def _last_layer(tunable: Tunable, tower: str) -> nn.Module:
    """The linear layer that runs last, whatever its family calls it."""
    module: nn.Module = getattr(tunable, tower)
    ran: list[nn.Module] = []
    hooks = [
        part.register_forward_hook(lambda part, *_: ran.append(part))
        for part in module.modules()
        if isinstance(part, nn.Linear)
    ]
    with _measuring(module), torch.no_grad():
        _example(tunable, tower)
    for hook in hooks:
        hook.remove()
    if not ran:
        raise TrainingError(f"The {tower} tower has no linear layer that could be trained alone.")
    return ran[-1]


def _example(tunable: Tunable, tower: str) -> Tensor:
    if tower == "image":
        return tunable.image(torch.rand(1, 3, tunable.size, tunable.size, device=tunable.device))
    ids, mask = (part.to(tunable.device) for part in tunable.tokens(["a red apple"]))
    return tunable.text(ids, mask)


@contextmanager
def _measuring(module: nn.Module) -> Iterator[None]:
    training = module.training
    module.eval()
    with torch.random.fork_rng(devices=[]):
        yield
    module.train(training)


# -- LoRA --------------------------------------------------------------------------------------------------------


def _add_lora(tunable: Tunable, settings: Settings) -> None:
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise MissingExtraError("peft", "torch") from error
    torch.manual_seed(settings.seed)
    if tunable.own:
        with_plain_convolutions(tunable.image)
    both = nn.ModuleDict({"image": tunable.image, "text": tunable.text})
    targets = [
        name for name, part in both.named_modules() if isinstance(part, nn.Linear | nn.Conv2d | nn.Embedding)
    ]
    config = LoraConfig(r=settings.rank, lora_alpha=2 * settings.rank, target_modules=targets, bias="none")
    inject_adapter_in_model(config, both)
    tunable.image, tunable.text = both["image"], both["text"]


@torch.no_grad()
def merge(tunable: Tunable) -> None:
    """Adds LoRA's products to the matrices they belong to and takes its layers out, in place."""
    try:
        from peft.tuners.tuners_utils import BaseTunerLayer
    except ImportError as error:
        raise MissingExtraError("peft", "torch") from error
    both = nn.ModuleDict({"image": tunable.image, "text": tunable.text})
    for name, part in list(both.named_modules()):
        if isinstance(part, BaseTunerLayer):
            part.merge()
            parent, _, last = name.rpartition(".")
            setattr(both.get_submodule(parent), last, part.get_base_layer())
    tunable.image, tunable.text = both["image"], both["text"]
    if tunable.own:
        with_own_convolutions(tunable.image)
