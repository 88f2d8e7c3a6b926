"""Answers from what retrieval found: evidence in, a cited and checked answer out.

``answer`` is the way in. Without a model it quotes (``extract``); with one it asks (``prompt``, ``generate``) and
checks what came back (``citations``, ``quotes``). Nothing here knows collections: :class:`Evidence` is all it is given.
"""

from .answer import answer, stream_answer
from .citations import CheckedText, check_citations
from .extract import extractive_answer
from .generate import Generator, OpenAIGenerator, configured_generator
from .language import known_language, question_language
from .prompt import Prompt, approximate_tokens, build_prompt
from .quotes import stands_in
from .types import Answer, Citation, Evidence

__all__ = [
    "Answer",
    "CheckedText",
    "Citation",
    "Evidence",
    "Generator",
    "OpenAIGenerator",
    "Prompt",
    "answer",
    "approximate_tokens",
    "build_prompt",
    "check_citations",
    "configured_generator",
    "extractive_answer",
    "known_language",
    "question_language",
    "stands_in",
    "stream_answer",
]
