# Copyright: the Signet authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Actions run on the controller: what they are given never travels to the host that they are about."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from .entries import Entries, view
from .errors import SignetError
from .options import EXCLUSIVE, add_delegation, broker_of, check_forms
from .right import right_of


class SignetAction(ActionBase):
    """Validates the options, and tells a failure by ``msg``, ``code`` and ``option``."""

    SPEC: dict[str, Any] = {}
    RULES: dict[str, Any] = {}

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=self.SPEC, **self.RULES)
        options = {name: options.get(name) for name in self.SPEC}
        try:
            check_forms(options)
            return self.act(options, task_vars or {})
        except SignetError as error:
            return {"failed": True, "changed": False, "msg": str(error), "code": error.code, "option": error.option}

    def act(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Does it, or in check mode finds out what it would do."""
        raise NotImplementedError


class EntryAction(SignetAction):
    """What is an entry at the broker."""

    RULES = {"mutually_exclusive": EXCLUSIVE, "required_if": [["state", "present", ["spiffe_id"]]]}

    def wanted(self, options: dict[str, Any], there: dict[str, Any] | None, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The entry that shall be, given the one that is."""
        raise NotImplementedError

    def act(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        add_delegation(options)
        broker = broker_of(options)
        self.right = right_of(options, broker)
        entries = Entries(broker, self.right, options)
        there = entries.read()
        content = self.wanted(options, there, task_vars) if options["state"] == "present" else None
        before = view(there)
        after = view(content, enabled=options["enabled"])
        changed = before != after or (there is not None and there["state"] == "pending")
        if changed and not self._task.check_mode:
            if content is None:
                entries.remove()
            else:
                there = entries.write(there, content, enabled=options["enabled"])
        result: dict[str, Any] = {"changed": changed, "id": entries.ref}
        if content is not None:
            result["entry"] = content if there is None or self._task.check_mode else there
        if self._task.diff:
            result["diff"] = {"before": _shown(before), "after": _shown(after), "before_header": entries.ref, "after_header": entries.ref}
        return result


def _shown(state: dict[str, Any]) -> dict[str, Any]:
    return {**state["content"], "enabled": state["enabled"]} if state else {}
