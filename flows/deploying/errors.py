"""What can be wrong with what is to be deployed."""

from __future__ import annotations


class DeployError(RuntimeError):
    """The project cannot be deployed as asked; the message says what to change."""
