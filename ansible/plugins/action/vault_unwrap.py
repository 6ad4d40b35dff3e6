# Copyright: the Signet authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Unwraps a wrapping token of Vault, once, and puts what was in it where it is needed."""

from __future__ import annotations

import os
import re
import shlex
from typing import Any

from ..plugin_utils.action import SignetAction
from ..plugin_utils.errors import SignetError
from ..plugin_utils.right import WORD
from ..plugin_utils.vault import Wrapped


class ActionModule(SignetAction):
    """``vault_unwrap``: the controller asks Vault; a file on the host gets what was inside by standard input."""

    SPEC = {
        "wrapping_token": {"type": "str", "no_log": True, "required": True},
        "creation_path": {"type": "str", "required": True},
        "vault_address": {"type": "str"},
        "vault_ca": {"type": "str"},
        "vault_namespace": {"type": "str"},
        "field": {"type": "str"},
        "dest": {"type": "str"},
        "owner": {"type": "str"},
        "group": {"type": "str"},
        "mode": {"type": "str", "default": "0400"},
    }
    RULES = {"required_by": {"dest": "field", "owner": "dest", "group": "dest"}}

    def act(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        dest = options["dest"]
        if dest is None and not self._task.no_log:
            raise SignetError(
                "What is unwrapped would be shown: give the task no_log: true, or dest, a file on the host.", code="no_log", option="dest"
            )
        if not WORD.fullmatch(options["wrapping_token"]):
            raise SignetError("wrapping_token is one word of printable characters.", code="option_unusable", option="wrapping_token")
        if not re.fullmatch(r"0?[0-7]{3}", options["mode"]):
            raise SignetError("mode is three octal digits, such as 0400.", code="option_unusable", option="mode")
        if dest is not None and self._sh(f"test -e {shlex.quote(dest)}")["rc"] == 0:
            return {"changed": False, "dest": dest, "msg": f"{dest} is there: nothing was unwrapped"}
        address = options["vault_address"] or os.environ.get("VAULT_ADDR")
        if not address:
            raise SignetError(
                "vault_address is not set: set it, or the environment variable VAULT_ADDR of the controller.",
                code="option_missing",
                option="vault_address",
            )
        ca = options["vault_ca"] or os.environ.get("VAULT_CACERT")
        namespace = options["vault_namespace"] or os.environ.get("VAULT_NAMESPACE")
        wrapped = Wrapped(options["wrapping_token"], address, ca, namespace)
        wrapped.look_up(options["creation_path"])
        if self._task.check_mode:
            return {"changed": True, "dest": dest}
        if dest is None:
            return {"changed": True, "data": self._chosen(wrapped.unwrap(), options["field"])}
        return self._kept(wrapped, options)

    def _kept(self, wrapped: Wrapped, options: dict[str, Any]) -> dict[str, Any]:
        """The file is made first: a secret that could not be kept would be one that nobody knows of."""
        dest = options["dest"]
        made = self._sh(f"umask 077 && mktemp {shlex.quote(dest + '.XXXXXXXX')}")
        if made["rc"] != 0:
            raise SignetError(f"{dest} cannot be written: {made['stderr'].strip()[:300]}", code="dest_unusable", option="dest")
        unfinished = shlex.quote(made["stdout"].strip())
        try:
            owner = f"{options['owner'] or ''}:{options['group']}" if options["group"] else options["owner"]
            if owner:
                self._demand(f"chown {shlex.quote(owner)} {unfinished}", dest)
            secret = self._chosen(wrapped.unwrap(), options["field"])
            mode = shlex.quote(options["mode"])
            self._demand(f"cat > {unfinished} && chmod {mode} {unfinished} && mv -f {unfinished} {shlex.quote(dest)}", dest, f"{secret}\n")
        except SignetError:
            self._sh(f"rm -f {unfinished}")
            raise
        return {"changed": True, "dest": dest}

    def _demand(self, command: str, dest: str, sent: str | None = None) -> None:
        ran = self._sh(command, sent)
        if ran["rc"] != 0:
            raise SignetError(f"{dest} cannot be written: {ran['stderr'].strip()[:300]}", code="dest_unusable", option="dest")

    def _sh(self, command: str, sent: str | None = None) -> dict[str, Any]:
        return self._low_level_execute_command(command, in_data=None if sent is None else sent.encode())

    @staticmethod
    def _chosen(data: dict[str, Any], field: str | None) -> Any:
        if field is None:
            return data
        if not isinstance(data.get(field), str):
            raise SignetError(f"There is no {field} in what was unwrapped.", code="field_missing", option="field")
        return data[field]
