"""What can be wrong with data, said with table, column, cause and cure."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


def revived(kind: type[Exception], message: tuple[Any, ...], more: dict[str, Any]) -> Exception:
    """An error as it was before it was pickled, even where its class makes the message of parts.

    Args:
        kind: Its class.
        message: Its arguments.
        more: Notes, and whatever else it has.
    """
    error = kind.__new__(kind)
    error.args = message
    error.__dict__.update(more)
    return error


class SynthesisError(ValueError):
    """The data or the request cannot be synthesized; the message says what to do."""

    def __reduce__(self) -> tuple[Any, ...]:
        return revived, (type(self), self.args, self.__dict__)


class RequestError(SynthesisError):
    """What was asked for cannot be: an unknown name, a scale that is not positive."""


class RuleError(RequestError):
    """A rule is not understood, names what does not exist, or contradicts another."""


class ContractError(RequestError):
    """A scenario, a pinned row or a balanced table cannot be had as it was asked for."""


class NotFittedError(SynthesisError):
    """A synthesizer was asked to sample or save before `fit`."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not fitted yet. Call fit(tables) first.")


class OrphanError(SynthesisError):
    """A foreign key has values that the parent table does not hold."""

    def __init__(self, relationship: str, count: int, rows: int) -> None:
        super().__init__(
            f"Foreign key '{relationship}' has {count} orphan rows out of {rows}: their parent "
            "does not exist. Mend the data, or set on_orphan (`defaults.on_orphan` in synth.yaml, "
            "--on-orphan of synthesize) to 'null' (clears the key) or 'drop' (leaves the rows out)."
        )


class UnsupportedTypeError(SynthesisError):
    """A column has a type that no encoder takes."""

    def __init__(self, table: str, column: str, kind: pa.DataType) -> None:
        super().__init__(
            f"Column '{table}.{column}' has the type {kind}, which cannot be synthesized. "
            "Exclude the column, or cast it to text or a list in a view."
        )


class MissingTorchError(SynthesisError):
    """A network is asked for, and torch is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "This synthesizer is a network and needs torch, which is not installed. Install it "
            "(pip install \"prefect-synth[torch]\"), or choose another synthesizer, as 'trees'."
        )


class UniquenessError(SynthesisError):
    """A unique key cannot be filled with as many rows as were asked for."""

    def __init__(self, table: str, columns: tuple[str, ...], rows: int) -> None:
        super().__init__(
            f"Table '{table}' cannot hold {rows} rows with unique ({', '.join(columns)}): there "
            "are not enough combinations. Ask for fewer rows (a smaller scale)."
        )
