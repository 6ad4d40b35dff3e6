# Copyright: the Signet authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What a person is told of a failure."""

from __future__ import annotations


class SignetError(Exception):
    """A failure with a stable ``code``, and the ``option`` that it is about. Never holds a secret."""

    def __init__(self, message: str, *, code: str, option: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.option = option
