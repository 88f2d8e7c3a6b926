"""Filters as SQL: the tree of :mod:`babelens.types` compiled to a condition with parameters, never with user text.

``id``, ``kind`` and ``path`` are the item's own; every other field is a key of its metadata. A comparison with a
missing field is false, except that a missing field equals ``null``. Types never coerce: a number is never equal to,
below or above a text, and ``true`` is not 1. Every condition is 0 or 1, never NULL, so that NOT means not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..types import And, Comparison, Filter, Not, Operator, Or, Scalar

_COMPARING: Final = {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_. -]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Condition:
    """A boolean SQL expression over the table ``items``; its placeholders take ``parameters`` in order."""

    sql: str
    parameters: tuple[object, ...] = ()


EVERYTHING: Final = Condition("1")
_NOTHING: Final = Condition("0")


def compile_filter(where: Filter | None) -> Condition:
    """The condition that a filter means; ``None`` lets everything pass."""
    match where:
        case None:
            return EVERYTHING
        case And(parts):
            return _join("AND", [compile_filter(part) for part in parts], empty=EVERYTHING)
        case Or(parts):
            return _join("OR", [compile_filter(part) for part in parts], empty=_NOTHING)
        case Not(part):
            inner = compile_filter(part)
            return Condition(f"(NOT {inner.sql})", inner.parameters)
        case Comparison(field, op, value):
            read = _own_field(field) or _metadata(field)
            if op == "in":
                values = value if isinstance(value, tuple) else (value,)
                return read.among(values)
            if isinstance(value, tuple):
                return _NOTHING
            return read.compare(op, value)


def _join(word: str, parts: Sequence[Condition], *, empty: Condition) -> Condition:
    if not parts:
        return empty
    sql = f" {word} ".join(part.sql for part in parts)
    return Condition(f"({sql})", tuple(value for part in parts for value in part.parameters))


@dataclass(frozen=True, slots=True)
class _OwnField:
    """``id``, ``kind`` or ``path``: text that is never missing. Paths are compared as the bytes they are."""

    column: str

    def compare(self, op: Operator, value: Scalar) -> Condition:
        if value is None:
            return EVERYTHING if op == "!=" else _NOTHING
        if not isinstance(value, str):
            return _NOTHING
        if self.column == "items.path":
            try:
                parameter: object = os.fsencode(value)
            except UnicodeEncodeError:  # no path holds such characters
                return EVERYTHING if op == "!=" else _NOTHING
            return _text_condition(self.column, op, "?", parameter)
        return _text_condition(self.column, op, *_text_parameter(value))

    def among(self, values: tuple[Scalar, ...]) -> Condition:
        return _join("OR", [self.compare("=", value) for value in values], empty=_NOTHING)


@dataclass(frozen=True, slots=True)
class _Metadata:
    """A key of the metadata: SQL for its JSON type, its value and its members, each with ``?`` for ``key``."""

    type: str
    value: str
    members: str
    key: str

    def compare(self, op: Operator, value: Scalar) -> Condition:
        if op == "contains" and value is not None:
            member = _Metadata("member.type", "member.value", "", "").compare("=", value)
            in_list = f"({self.type} = 'array' AND EXISTS (SELECT 1 FROM {self.members} AS member WHERE {member.sql}))"
            condition = Condition(in_list, (self.key, self.key, *member.parameters))
            if isinstance(value, str):
                return _join("OR", [self._text(op, value), condition], empty=_NOTHING)
            return condition
        if value is None:
            sign = {"=": "=", "!=": "<>"}.get(op)
            return self._when(f"{self.type} {sign} 'null'") if sign else _NOTHING
        if isinstance(value, bool):
            if op not in ("=", "!="):
                return _NOTHING
            return self._when(f"{self.type} = '{str(value if op == '=' else not value).lower()}'")
        if isinstance(value, str):
            return self._text(op, value)
        if op not in _COMPARING:
            return _NOTHING
        sql = f"({self.type} IN ('integer', 'real') AND {self.value} {_COMPARING[op]} ?)"
        return Condition(sql, (*self._keys(2), _number_parameter(value)))

    def among(self, values: tuple[Scalar, ...]) -> Condition:
        # One IN for texts and one for numbers: a chain of ORs would be too deep an expression for long lists.
        texts = [_text_parameter(value) for value in values if isinstance(value, str)]
        numbers = [
            value for value in values if isinstance(value, int | float) and not isinstance(value, bool)
        ]
        parts = [
            self.compare("=", value) for value in {v for v in values if v is None or isinstance(v, bool)}
        ]
        if texts:
            places = ", ".join(place for place, _ in texts)
            sql = f"({self.type} = 'text' AND {self.value} IN ({places}))"
            parts.append(Condition(sql, (*self._keys(2), *(parameter for _, parameter in texts))))
        if numbers:
            places = ", ".join("?" for _ in numbers)
            sql = f"({self.type} IN ('integer', 'real') AND {self.value} IN ({places}))"
            parts.append(Condition(sql, (*self._keys(2), *map(_number_parameter, numbers))))
        return _join("OR", parts, empty=_NOTHING)

    def _text(self, op: Operator, value: str) -> Condition:
        inner = _text_condition(self.value, op, *_text_parameter(value))
        return Condition(f"({self.type} = 'text' AND {inner.sql})", (*self._keys(2), *inner.parameters))

    def _when(self, sql: str) -> Condition:
        return Condition(f"({sql})", self._keys(1))

    def _keys(self, times: int) -> tuple[str, ...]:
        return (self.key,) * times if "?" in self.type else ()


def _own_field(name: str) -> _OwnField | None:
    return _OwnField(f"items.{name}") if name in ("id", "kind", "path") else None


def _metadata(name: str) -> _Metadata:
    if _PLAIN_KEY.fullmatch(name):
        return _Metadata(
            "ifnull(json_type(items.metadata, ?), 'null')",
            "json_extract(items.metadata, ?)",
            "json_each(items.metadata, ?)",
            f'$."{name}"',
        )
    # SQLite compares paths with the raw JSON, escapes and all; json_each gives the keys as they are meant.
    one = "(SELECT {0} FROM json_each(items.metadata) WHERE key = ?)"
    return _Metadata(
        f"ifnull({one.format('type')}, 'null')",
        one.format("value"),
        f"json_each({one.format('value')})",
        name,
    )


def _text_condition(value: str, op: Operator, place: str, parameter: object) -> Condition:
    if op in _COMPARING:
        return Condition(f"{value} {_COMPARING[op]} {place}", (parameter,))
    # instr, unlike LIKE, minds the case and knows no wildcards.
    return Condition(f"instr({value}, {place}) {'> 0' if op == 'contains' else '= 1'}", (parameter,))


def _text_parameter(value: str) -> tuple[str, object]:
    """A placeholder and its parameter; surrogates (of file names that are not UTF-8) need a way round."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return "CAST(? AS TEXT)", value.encode("utf-8", "surrogatepass")
    return "?", value


def _number_parameter(value: int | float) -> int | float:
    return value if isinstance(value, float) or -(2**63) <= value < 2**63 else float(value)
