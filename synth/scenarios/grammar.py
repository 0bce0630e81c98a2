"""The language of conditions on a row: comparisons of columns with constants, joined by AND.

    condition  := comparison { AND comparison }
    comparison := column ( = | <> | != | < | <= | > | >= ) constant
                | column [NOT] IN ( constant { , constant } )
                | column [NOT] BETWEEN constant AND constant
                | column IS [NOT] NULL
    column     := name | "any name"
    constant   := 'text' | number | TRUE | FALSE

It is read into the small tree below and never evaluated as anything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from prefect_synth.synth.errors import ContractError

Constant = str | bool | int | Decimal
"""What a column is compared with."""

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^']|'')*')
      | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<quoted>"(?:[^"]|"")+")
      | (?P<word>[^\W\d]\w*)
      | (?P<sign><>|!=|<=|>=|==|[=<>(),])
    )""",
    re.VERBOSE,
)
_SIGNS = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_KEYWORDS = frozenset({"AND", "OR", "NOT", "IN", "BETWEEN", "IS", "NULL", "TRUE", "FALSE", "LIKE"})
_FORMS = "column = constant, <>, <, <=, >, >=, IN (…), BETWEEN … AND …, IS NULL, IS NOT NULL"


@dataclass(frozen=True)
class Comparison:
    """A column against constants.

    Args:
        column: The column.
        operator: `=`, `<>`, `<`, `<=`, `>`, `>=`, `in`, `between` or `null`.
        constants: What it is compared with: one, two for `between`, none for `null`.
        negated: Whether it is the opposite that holds: `NOT IN`, `NOT BETWEEN`, `IS NOT NULL`.
    """

    column: str
    operator: str
    constants: tuple[Constant, ...] = ()
    negated: bool = False


def parse_condition(text: str) -> tuple[Comparison, ...]:
    """Read a condition: comparisons that must all hold.

    Args:
        text: As `status = 'chargeback' AND total >= 1000`.

    Raises:
        ContractError: It is no condition; the message names the position and the cure.
    """
    return _Parser(text).condition()


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


class _Parser:
    """Reads one condition from left to right."""

    def __init__(self, text: str) -> None:
        self.tokens = [*_tokens(text), _Token("end", "", len(text) + 1)]
        self.now = 0

    def condition(self) -> tuple[Comparison, ...]:
        found = [self._comparison()]
        while self._is("AND"):
            self._take()
            found.append(self._comparison())
        if self._is("OR"):
            raise self._wrong("OR is not known here: write IN (…), or a scenario for each side")
        if self._next.kind != "end":
            raise self._wrong("AND or the end was expected")
        return tuple(found)

    def _comparison(self) -> Comparison:
        column = self._column()
        if self._is("IS"):
            self._take()
            negated = self._negated()
            self._word("NULL")
            return Comparison(column, "null", (), negated)
        negated = self._negated()
        if self._is("IN"):
            self._take()
            return Comparison(column, "in", self._list(), negated)
        if self._is("BETWEEN"):
            self._take()
            low = self._constant()
            self._word("AND")
            return Comparison(column, "between", (low, self._constant()), negated)
        if negated:
            raise self._wrong("IN or BETWEEN was expected after NOT")
        return Comparison(column, self._sign(), (self._constant(),))

    def _column(self) -> str:
        token = self._next
        if token.kind == "quoted":
            return self._take().text[1:-1].replace('""', '"')
        if token.kind != "word" or token.text.upper() in _KEYWORDS:
            raise self._wrong('the name of a column was expected (in "double quotes" if need be)')
        return self._take().text

    def _sign(self) -> str:
        token = self._next
        if token.text == "==":
            raise self._wrong("'==' is not known here: write '='")
        if token.text not in _SIGNS:
            raise self._wrong(f"a comparison was expected ({_FORMS})")
        return _SIGNS[self._take().text]

    def _list(self) -> tuple[Constant, ...]:
        self._symbol("(")
        found = [self._constant()]
        while self._next.text == ",":
            self._take()
            found.append(self._constant())
        self._symbol(")")
        return tuple(found)

    def _constant(self) -> Constant:
        token = self._next
        if token.kind == "text":
            return self._take().text[1:-1].replace("''", "'")
        if token.kind == "number":
            return _number(self._take().text)
        if token.kind == "word" and token.text.upper() in ("TRUE", "FALSE"):
            return self._take().text.upper() == "TRUE"
        if self._is("NULL"):
            raise self._wrong("nothing equals NULL: write IS NULL or IS NOT NULL")
        raise self._wrong("a constant was expected: 'text' in single quotes, a number, TRUE, FALSE")

    def _negated(self) -> bool:
        if not self._is("NOT"):
            return False
        self._take()
        return True

    def _word(self, word: str) -> None:
        if not self._is(word):
            raise self._wrong(f"{word} was expected")
        self._take()

    def _symbol(self, symbol: str) -> None:
        if self._next.text != symbol:
            raise self._wrong(f"'{symbol}' was expected")
        self._take()

    def _is(self, word: str) -> bool:
        return self._next.kind == "word" and self._next.text.upper() == word

    @property
    def _next(self) -> _Token:
        return self.tokens[self.now]

    def _take(self) -> _Token:
        self.now += 1
        return self.tokens[self.now - 1]

    def _wrong(self, problem: str) -> ContractError:
        place = "at its end" if self._next.kind == "end" else f"at position {self._next.at}"
        return ContractError(f"is no condition: {problem}, {place}. Allowed: {_FORMS}, AND")


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            start = at + len(text[at:]) - len(text[at:].lstrip())
            open_quote = text[start] in "'\""
            problem = "a quote is not closed" if open_quote else "a sign is not known"
            raise ContractError(
                f"is no condition: {problem}, at position {start + 1}. Allowed: {_FORMS}, AND"
            )
        kind = found.lastgroup
        yield _Token(kind, found.group(kind), found.start(kind) + 1)
        at = found.end()


def _number(text: str) -> int | Decimal:
    value = Decimal(text)
    return int(value) if re.fullmatch(r"[+-]?\d+", text) else value
