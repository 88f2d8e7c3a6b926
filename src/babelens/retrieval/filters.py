"""Filter expressions: ``year >= 2020 and folder = 'trips'``. Parsed here to a tree of :mod:`babelens.types`.

Nothing of the text reaches a database: storage compiles the tree to parameterised SQL, and :func:`matches` is the
reference for what it must mean.

    expression  =  conjunction ("or" conjunction)*
    conjunction =  negation ("and" negation)*
    negation    =  "not" negation | "(" expression ")" | comparison
    comparison  =  field operator value | field ["not"] "in" "(" value ("," value)* ")"
    operator    =  "=" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "contains" | "startswith"
    value       =  'text' | "text" | number | true | false | null

A field is a name, or anything between backticks. A quote inside a text is doubled: ``'it''s'``. Words of the language
may be written in capitals. Comparisons of text mind the case and order by code point.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ..errors import FilterError
from ..types import And, Comparison, Filter, Item, Not, Operator, Or, Scalar

MAX_LENGTH: Final = 4096
MAX_DEPTH: Final = 40

_TOKEN: Final = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?(?!\w))
      | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<quoted>`[^`]+`)
      | (?P<name>[^\W\d]\w*(?:\.\w+)*)
      | (?P<sign><=|>=|!=|==|=|<|>|\(|\)|,)""",
    re.VERBOSE,
)
_OPERATORS: Final[dict[str, Operator]] = {
    "=": "=",
    "==": "=",
    "!=": "!=",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
    "contains": "contains",
    "startswith": "startswith",
}
_CONSTANTS: Final[dict[str, Scalar]] = {"true": True, "false": False, "null": None}
_RESERVED: Final = {"and", "or", "not", "in", "contains", "startswith", *_CONSTANTS}


class _Token(NamedTuple):
    kind: str
    text: str
    position: int

    @property
    def word(self) -> str:
        """What the grammar compares with: signs as they are, names in lower case, nothing for values."""
        return self.text.lower() if self.kind in ("name", "sign") else ""


def parse_filter(expression: str) -> Filter:
    """The tree of a filter expression. Raises :class:`FilterError`, which points at the place."""
    return _Parser(expression).parse()


class _Parser:
    """Recursive descent, one method per rule of the grammar above."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self.tokens = self._tokens()
        self.at = 0
        self.depth = 0

    def parse(self) -> Filter:
        tree = self._expression()
        if self.tokens[self.at].kind != "end":
            raise self._error(f"expected 'and', 'or' or the end, found {self._found()}")
        return tree

    def _tokens(self) -> list[_Token]:
        if len(self.expression) > MAX_LENGTH:
            raise FilterError(self.expression[:60] + "…", 0, f"it is longer than {MAX_LENGTH} characters")
        tokens = []
        position = 0
        while position < len(self.expression):
            match = _TOKEN.match(self.expression, position)
            if match is None:
                character = self.expression[position]
                reason = (
                    "this quote is never closed"
                    if character in "'\"`"
                    else f"{character!r} has no meaning here"
                )
                raise FilterError(self.expression, position, reason)
            kind = str(match.lastgroup)
            if kind != "space":
                tokens.append(_Token(kind, match.group(), position))
            position = match.end()
        tokens.append(_Token("end", "", len(self.expression)))
        return tokens

    def _word(self) -> str:
        return self.tokens[self.at].word

    def _take(self) -> _Token:
        token = self.tokens[self.at]
        self.at += token.kind != "end"
        return token

    def _found(self) -> str:
        token = self.tokens[self.at]
        return "the end" if token.kind == "end" else repr(token.text)

    def _error(self, reason: str, position: int | None = None) -> FilterError:
        return FilterError(
            self.expression, self.tokens[self.at].position if position is None else position, reason
        )

    def _expression(self) -> Filter:
        parts = [self._conjunction()]
        while self._word() == "or":
            self._take()
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _conjunction(self) -> Filter:
        parts = [self._negation()]
        while self._word() == "and":
            self._take()
            parts.append(self._negation())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _negation(self) -> Filter:
        word = self._word()
        if word not in ("not", "("):
            return self._comparison()
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._error(f"it is nested more than {MAX_DEPTH} deep")
        opening = self._take()
        if word == "not":
            tree: Filter = Not(self._negation())
        else:
            tree = self._expression()
            if self._word() != ")":
                raise self._error(f"expected ')' for the '(' at {opening.position}, found {self._found()}")
            self._take()
        self.depth -= 1
        return tree

    def _comparison(self) -> Filter:
        name = self._field()
        word = self._word()
        if word in _OPERATORS:
            self._take()
            return Comparison(name, _OPERATORS[word], self._value())
        negated = word == "not"
        if negated:
            self._take()
        if self._word() != "in":
            expected = "'in'" if negated else "an operator such as = or >="
            raise self._error(f"expected {expected} after {name!r}, found {self._found()}")
        self._take()
        tree = Comparison(name, "in", self._values())
        return Not(tree) if negated else tree

    def _field(self) -> str:
        token = self.tokens[self.at]
        if token.kind == "quoted":
            return self._take().text[1:-1]
        if token.kind == "name" and token.word not in _RESERVED:
            return self._take().text
        raise self._error(f"expected the name of a field, found {self._found()}")

    def _values(self) -> tuple[Scalar, ...]:
        if self._word() != "(":
            raise self._error(f"expected '(' after 'in', found {self._found()}")
        self._take()
        values = [self._value()]
        while self._word() == ",":
            self._take()
            values.append(self._value())
        if self._word() != ")":
            raise self._error(f"expected ',' or ')', found {self._found()}")
        self._take()
        return tuple(values)

    def _value(self) -> Scalar:
        token = self.tokens[self.at]
        if token.kind == "text":
            quote = token.text[0]
            value: Scalar = token.text[1:-1].replace(quote * 2, quote)
        elif token.kind == "number":
            value = self._number(token)
        elif token.word in _CONSTANTS:
            value = _CONSTANTS[token.word]
        else:
            hint = f"; write '{token.text}' for a text" if token.kind == "name" else ""
            raise self._error(f"expected a value, found {self._found()}{hint}")
        self._take()
        return value

    def _number(self, token: _Token) -> int | float:
        if re.fullmatch(r"[-+]?\d+", token.text, re.ASCII):
            whole = int(token.text)
            if not -(2**63) <= whole < 2**63:
                raise self._error("this number does not fit in 64 bits")
            return whole
        number = float(token.text)
        if not math.isfinite(number):
            raise self._error("this number is too large")
        return number


def fields_of(tree: Filter) -> frozenset[str]:
    """The names of the fields a filter looks at."""
    if isinstance(tree, Comparison):
        return frozenset((tree.field,))
    parts = (tree.part,) if isinstance(tree, Not) else tree.parts
    return frozenset().union(*map(fields_of, parts))


def matches(tree: Filter, item: Item) -> bool:
    """Whether an item passes; the reference that storage's SQL is tested against.

    ``id``, ``kind`` and ``path`` are the item's own; every other field is a key of its metadata. Logic has two
    values: a comparison with a missing field (or null) is false, except ``field = null``; so is one of values of
    different types, since types never coerce. ``contains`` looks for a part of a text or a member of a list.
    """
    if isinstance(tree, And):
        return all(matches(part, item) for part in tree.parts)
    if isinstance(tree, Or):
        return any(matches(part, item) for part in tree.parts)
    if isinstance(tree, Not):
        return not matches(tree.part, item)
    built_in: Mapping[str, Any] = {"id": item.id, "kind": item.kind, "path": item.source.path}
    actual = built_in[tree.field] if tree.field in built_in else item.metadata.get(tree.field)
    if isinstance(tree.value, tuple):
        return any(_holds("=", actual, value) for value in tree.value)
    return _holds(tree.op, actual, tree.value)


def _holds(op: Operator, actual: Any, value: Scalar) -> bool:
    if actual is None or value is None:
        return {"=": actual is value, "!=": actual is not value and value is None}.get(op, False)
    if op == "contains" and isinstance(actual, list | tuple):
        return any(_holds("=", member, value) for member in actual)
    if _type(actual) is not _type(value):
        return False
    if isinstance(actual, bool) or op in ("=", "!="):
        return (op == "=" and actual == value) or (op == "!=" and actual != value)
    if isinstance(actual, str) and isinstance(value, str):
        if op in ("contains", "startswith"):
            return value in actual if op == "contains" else actual.startswith(value)
        return {"<": actual < value, "<=": actual <= value, ">": actual > value, ">=": actual >= value}[op]
    if (
        isinstance(actual, int | float)
        and isinstance(value, int | float)
        and op not in ("contains", "startswith")
    ):
        return {"<": actual < value, "<=": actual <= value, ">": actual > value, ">=": actual >= value}[op]
    return False


def _type(value: Any) -> type:
    """Whole numbers and fractions compare; everything else only with its like."""
    return float if type(value) is int else type(value)
