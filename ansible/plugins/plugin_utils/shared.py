# Copyright: the Signet authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What the workers of one run of Ansible know together, in memory alone."""

from __future__ import annotations

import json
import mmap
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .errors import SignetError

SIZE = 256 * 1024
PATIENCE_S = 180


class Shared:
    """A JSON object in anonymous memory, which forked processes inherit and programs that they start do not.

    Ansible forks a worker for each task of each host. Its main process imports an action plugin before it forks the first of them
    (to ask for ``BYPASS_HOST_LOOP``), so all share what this module makes when it is imported. With a strategy that does not, each
    worker has one of its own.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, SIZE)
        self._lock = multiprocessing.get_context("fork").Lock()

    @contextmanager
    def opened(self) -> Iterator[dict[str, Any]]:
        """The object, for one process at a time; what is changed in it stays, unless the block raises."""
        if not self._lock.acquire(timeout=PATIENCE_S):
            raise SignetError("Another task has held the run's right for too long.", code="right_busy")
        try:
            self._memory.seek(0)
            length = int.from_bytes(self._memory.read(4), "big")
            known = json.loads(self._memory.read(length)) if length else {}
            yield known
            text = json.dumps(known).encode()
            if len(text) + 4 > SIZE:
                raise SignetError("One run uses too many delegations.", code="right_busy")
            self._memory.seek(0)
            self._memory.write(len(text).to_bytes(4, "big") + text)
        finally:
            self._lock.release()


RUN = Shared()
