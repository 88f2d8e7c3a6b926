"""Asking a language model, over any endpoint that speaks OpenAI's chat API (llama.cpp, vLLM, Ollama, a vendor).

Nothing is sent anywhere unless an address was given: there is no default endpoint, redirects are not followed, and
keys and organisations that other programs left in the environment (``OPENAI_API_KEY`` …) are not used.
"""

from __future__ import annotations

import math
import os
import queue
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable
from urllib.parse import urlsplit

from ..errors import GenerationError, MissingExtraError

if TYPE_CHECKING:
    import openai

URL_VARIABLE: Final = "BABELENS_LLM_URL"
KEY_VARIABLE: Final = "BABELENS_LLM_KEY"
MODEL_VARIABLE: Final = "BABELENS_LLM_MODEL"
VISION_VARIABLE: Final = "BABELENS_LLM_VISION"
TIMEOUT_VARIABLE: Final = "BABELENS_LLM_TIMEOUT"

Message = Mapping[
    str, Any
]  # {"role": "system" | "user" | "assistant", "content": str or parts}, as OpenAI has it

_TIMEOUT: Final = 120.0
_DEADLINE: Final = 600.0
_VERSION: Final = re.compile(r"/v\d+[a-z\d]*(?=/)")
_WITHOUT: Final = "Without a model, the answer is made of sentences from the documents."
_THOUGHT, _THOUGHT_ENDS = "<think>", "</think>"


@runtime_checkable
class Generator(Protocol):
    """A language model. ``name`` goes into answers; ``sees`` says whether messages may hold pictures."""

    @property
    def name(self) -> str: ...

    @property
    def sees(self) -> bool: ...

    def generate(self, messages: Sequence[Message]) -> Iterator[str]:
        """The reply, piece by piece. Raises :class:`GenerationError` unless the reply came to its own end."""


def configured_generator(
    model: str | None = None, *, vision: bool | None = None, environment: Mapping[str, str] | None = None
) -> OpenAIGenerator | None:
    """The generator that arguments and environment name; ``None`` where they name none.

    ``model`` is ``URL/NAME`` (``http://127.0.0.1:8080/v1/qwen3``: what follows the version is the name) or the name
    alone, with the address from ``BABELENS_LLM_URL``. Without it, ``BABELENS_LLM_URL`` and ``BABELENS_LLM_MODEL``
    decide. ``BABELENS_LLM_KEY`` is the key; ``BABELENS_LLM_VISION=1`` says that the model sees pictures,
    ``BABELENS_LLM_TIMEOUT`` how many seconds it may be silent. Raises :class:`GenerationError` when only half of it is
    there.
    """
    environment = os.environ if environment is None else environment
    url, name = environment.get(URL_VARIABLE), environment.get(MODEL_VARIABLE)
    if model and "://" in model:
        url, name = _parted(model)
    elif model:
        name = model
    if not url and not name:
        return None
    if not url:
        raise GenerationError(
            f"The model {name!r} has no address.",
            hint=f"Set {URL_VARIABLE} (such as http://127.0.0.1:8080/v1), or give --model URL/NAME.",
        )
    if not name:
        raise GenerationError(
            f"The endpoint {url} needs the name of a model.",
            hint=f"Set {MODEL_VARIABLE}, or give --model URL/NAME.",
        )
    if vision is None:
        vision = environment.get(VISION_VARIABLE, "") not in ("", "0")
    key, timeout = environment.get(KEY_VARIABLE), _timeout(environment)
    deadline = max(_DEADLINE, 2 * timeout)
    return OpenAIGenerator(url, name, key=key, sees=vision, timeout=timeout, deadline=deadline)


def _timeout(environment: Mapping[str, str]) -> float:
    value = environment.get(TIMEOUT_VARIABLE) or str(_TIMEOUT)
    try:
        timeout = float(value)
    except ValueError:
        timeout = math.nan
    if not 0 < timeout < math.inf:
        raise GenerationError(
            f"{TIMEOUT_VARIABLE} is {value!r}.", hint="Give a number of seconds above 0, such as 300."
        )
    return timeout


def _parted(model: str) -> tuple[str, str]:
    version = _VERSION.search(model, model.index("://") + 3)
    url, name = (model[: version.end()], model[version.end() + 1 :]) if version else model.rsplit("/", 1)
    if not name or not urlsplit(url).hostname:
        raise GenerationError(
            f"{model!r} does not end in the name of a model.",
            hint="Give it as URL/NAME, such as http://127.0.0.1:8080/v1/qwen3.",
        )
    return url, name


@dataclass(frozen=True, slots=True)
class OpenAIGenerator:
    """A model behind an endpoint that speaks OpenAI's chat API, through the ``openai`` client (extra ``ask``).

    ``timeout`` is the longest silence in seconds, ``deadline`` the longest that a whole answer may take, retries
    included. Refused connections, timeouts, 408, 409, 429 and 5xx are tried again ``retries`` times, with growing
    pauses or as ``Retry-After`` asks; a stream that has begun is not. The temperature is 0 and the seed fixed, which
    most servers, not all, take to give the same answer twice.
    """

    url: str
    name: str
    key: str | None = field(default=None, repr=False)
    sees: bool = False
    timeout: float = _TIMEOUT
    deadline: float = _DEADLINE
    retries: int = 2
    max_tokens: int = 2048
    seed: int = 0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise GenerationError(
                f"{self.url!r} is not the address of an endpoint.",
                hint="It starts with http:// or https:// and mostly ends in /v1.",
            )

    def generate(self, messages: Sequence[Message]) -> Iterator[str]:
        """See :meth:`Generator.generate`. What a model thinks aloud first (``<think>``) is left out."""
        said = ""
        try:
            for piece in without_thoughts(self._pieces(messages)):
                said += piece
                yield piece
        except GenerationError as error:
            error.partial = said
            raise
        if not said.strip():
            raise GenerationError(
                f"{self.name} at {self.url} sent an empty reply.",
                hint=f"Check that the endpoint streams chat completions and that the model is loaded. {_WITHOUT}",
            )

    def _pieces(self, messages: Sequence[Message]) -> Iterator[str]:
        """A thread reads, so that neither a trickle of bytes nor a silent server outlasts the deadline."""
        client = self._client()
        arrived: queue.SimpleQueue[str | BaseException | None] = queue.SimpleQueue()

        def read() -> None:
            try:
                for piece in self._read(client, messages):
                    arrived.put(piece)
                arrived.put(None)
            except BaseException as error:  # handed over whole: it is raised where the answer is awaited
                arrived.put(error)

        threading.Thread(target=read, name="babelens-generate", daemon=True).start()
        ends = time.monotonic() + self.deadline
        try:
            while True:
                try:
                    piece = arrived.get(timeout=max(0.0, ends - time.monotonic()))
                except queue.Empty:
                    raise GenerationError(
                        f"{self.name} at {self.url} did not finish within {self.deadline:g} s.",
                        hint=f"A smaller model or fewer passages answer sooner. {_WITHOUT}",
                    ) from None
                if piece is None:
                    return
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            client.close()  # ends the thread, if it still reads

    def _read(self, client: openai.OpenAI, messages: Sequence[Message]) -> Iterator[str]:
        import openai

        finish: str | None = None
        try:
            with self._open(client, messages) as stream:
                for chunk in stream:
                    choices = getattr(chunk, "choices", None)
                    if not isinstance(choices, list):
                        raise ValueError("a chunk without choices")
                    for choice in choices[:1]:
                        piece = getattr(getattr(choice, "delta", None), "content", None)
                        if isinstance(piece, str) and piece:
                            yield piece
                        finish = getattr(choice, "finish_reason", None) or finish
        except openai.APIStatusError as error:
            raise self._refused(error) from error
        except openai.APITimeoutError as error:
            raise GenerationError(
                f"{self.name} at {self.url} was silent for {self.timeout:g} s.",
                hint=f"It may still be loading the model; ask again. {_WITHOUT}",
            ) from error
        except openai.APIConnectionError as error:
            raise GenerationError(
                f"The connection to {self.url} failed: {error.__cause__ or error}.",
                hint=f"Check that the endpoint runs and that the address is right. {_WITHOUT}",
            ) from error
        except openai.APIError as error:
            raise GenerationError(
                f"{self.name} at {self.url} reported an error: {_short(error.message)}", hint=_WITHOUT
            ) from error
        except (ValueError, AttributeError) as error:
            raise GenerationError(
                f"What {self.url} sent is not a chat completion: {_short(str(error))}",
                hint=f"Check the address: it mostly ends in /v1. {_WITHOUT}",
            ) from error
        self._check_end(finish)

    def _check_end(self, finish: str | None) -> None:
        if finish == "length":
            raise GenerationError(
                f"{self.name} did not come to an end within {self.max_tokens} tokens.",
                hint="Ask for less at once, or allow more tokens.",
            )
        if finish == "content_filter":
            raise GenerationError(
                f"{self.url} withheld the reply: its content filter stepped in.", hint=_WITHOUT
            )
        if finish is None:
            raise GenerationError(
                f"The reply of {self.name} at {self.url} broke off, or was none.",
                hint=f"Ask again; if it stays so, check the address (it mostly ends in /v1). {_WITHOUT}",
            )

    def _open(self, client: openai.OpenAI, messages: Sequence[Message]) -> Any:
        """The stream. Some vendors' models want other names for the limit, or no temperature: then as they say."""
        import openai

        options: dict[str, Any] = {"max_tokens": self.max_tokens, "temperature": 0, "seed": self.seed}
        while True:
            try:
                return client.chat.completions.create(
                    model=self.name, messages=list(messages), stream=True, **options
                )
            except openai.BadRequestError as error:
                if error.param not in options:
                    raise
                value = options.pop(error.param)
                if error.param == "max_tokens":
                    options["max_completion_tokens"] = value

    def _client(self) -> openai.OpenAI:
        try:
            import openai
        except ImportError as error:
            raise MissingExtraError("openai", "ask") from error
        # Documents go to the address that was configured and to no other one.
        http = openai.DefaultHttpxClient(follow_redirects=False)
        unasked = {"OpenAI-Organization": openai.Omit(), "OpenAI-Project": openai.Omit()}
        return openai.OpenAI(
            base_url=self.url,
            api_key=self.key or "none",
            timeout=self.timeout,
            max_retries=self.retries,
            http_client=http,
            default_headers=unasked,
        )

    def _refused(self, error: openai.APIStatusError) -> GenerationError:
        hints = {
            401: f"Set the right key in {KEY_VARIABLE}.",
            403: f"The key in {KEY_VARIABLE} may not use this model.",
            404: "Check the address (it mostly ends in /v1) and the name of the model.",
            413: "Ask with fewer passages.",
            429: "The endpoint takes no more requests for now; wait and ask again.",
        }
        status = error.status_code
        moved = "Configure the address that it moved to." if 300 <= status < 400 else _WITHOUT
        return GenerationError(
            f"{self.url} answered with HTTP {status}: {_short(error.message)}", hint=hints.get(status, moved)
        )


def without_thoughts(pieces: Iterable[str]) -> Iterator[str]:
    """Leaves out ``<think>…</think>`` at the start of a reply; some servers send a model's thinking as its answer."""
    start, thinking, decided = "", False, False
    for piece in pieces:
        if decided:
            yield piece
            continue
        start += piece
        begun = start.lstrip()
        if not thinking and not (begun.startswith(_THOUGHT) or _THOUGHT.startswith(begun)):
            decided = True
            yield start
            continue
        thinking = begun.startswith(_THOUGHT)
        if thinking and _THOUGHT_ENDS in begun:
            decided = True
            if rest := begun.split(_THOUGHT_ENDS, 1)[1].lstrip():
                yield rest
    if not decided and not thinking and start:
        yield start


def _short(message: str, limit: int = 300) -> str:
    message = " ".join(message.split())
    return message if len(message) <= limit else message[:limit] + " …"
