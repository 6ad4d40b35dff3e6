# Copyright: the Signet authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A registration entry: what a workload must show, and the SPIFFE ID it then gets."""

from __future__ import annotations

import re
from typing import Any

from ..plugin_utils.action import EntryAction
from ..plugin_utils.entries import content_of
from ..plugin_utils.errors import SignetError
from ..plugin_utils.options import BROKER, CREDENTIAL, ENTRY

SELECTOR = re.compile(r"[a-z][a-z0-9-]*:(?:[a-z]+:)?[a-zA-Z0-9][a-zA-Z0-9._/-]*")


class ActionModule(EntryAction):
    """``signet_entry``, on the controller."""

    SPEC = {**BROKER, **CREDENTIAL, **ENTRY, "match": {"type": "dict"}}
    _requires_connection = False

    def wanted(self, options: dict[str, Any], there: dict[str, Any] | None, task_vars: dict[str, Any]) -> dict[str, Any]:
        match = options["match"]
        if not match:
            raise SignetError("match: an entry that asks for nothing would match everyone.", code="option_missing", option="match")
        for key in match:
            if not SELECTOR.fullmatch(key):
                raise SignetError(f"match: {key} is not kind:claim, such as k8s:ns.", code="option_unusable", option="match")
        kinds = sorted({key.partition(":")[0] for key in match})
        if len(kinds) > 1:
            raise SignetError(
                f"match: a workload shows evidence of one kind, and not {' and '.join(kinds)}.", code="option_unusable", option="match"
            )
        return content_of(options, {key: str(value) for key, value in match.items()})
