# Copyright: the Signet authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A host that proves itself by the SSH host key which the controller has pinned."""

from __future__ import annotations

import shlex
from datetime import datetime, timedelta, timezone
from typing import Any

from ..plugin_utils.action import EntryAction
from ..plugin_utils.entries import content_of
from ..plugin_utils.errors import SignetError
from ..plugin_utils.host_keys import NAMESPACE, HostKey, name_in_known_hosts, pinned_key, rotation_message, verify_rotation
from ..plugin_utils.options import BROKER, CREDENTIAL, ENTRY, EXCLUSIVE

SELECTOR = "ssh-host:key"
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class ActionModule(EntryAction):
    """``signet_host``, on the controller. Only ``old_key_file`` has the host do something: sign."""

    SPEC = {
        **BROKER,
        **CREDENTIAL,
        **ENTRY,
        "appear_within": {"type": "str"},
        "known_as": {"type": "str"},
        "known_hosts": {"type": "list", "elements": "path", "default": []},
        "key_type": {"type": "str", "choices": ["ed25519", "ecdsa"], "no_log": False},
        "replace": {"type": "str", "choices": ["never", "rotated_key", "operator"], "default": "never"},
        "old_key_file": {"type": "str", "no_log": False},
        "rotation_proof": {"type": "str", "no_log": False},
    }
    RULES = {
        **EntryAction.RULES,
        "mutually_exclusive": [*EXCLUSIVE, ["appear_by", "appear_within"], ["old_key_file", "rotation_proof"]],
    }

    def act(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        self.key: HostKey | None = None
        result = super().act(options, task_vars)
        if self.key is not None:
            result["ssh_host_key"] = {"fingerprint": self.key.fingerprint, "type": self.key.type}
        return result

    def wanted(self, options: dict[str, Any], there: dict[str, Any] | None, task_vars: dict[str, Any]) -> dict[str, Any]:
        self.key = key = pinned_key(self._known_as(options, task_vars), options["known_hosts"], options["key_type"])
        content = content_of(options, {SELECTOR: key.fingerprint})
        same = there is not None and there["match"] == content["match"]
        if there is not None and not same:
            self._replaced(options, there, key)
        if options["appear_within"]:
            # reckoned once, for the machine that it was said of
            kept = there.get("appear_by") if there is not None and same else None
            content["appear_by"] = kept or _from_now(options["appear_within"])
        return content

    def _known_as(self, options: dict[str, Any], task_vars: dict[str, Any]) -> str:
        """The name in known_hosts: what ssh connects to, unless it is given."""
        if options["known_as"]:
            return options["known_as"]
        names = ("ansible_ssh_host", "ansible_host", "inventory_hostname")
        host, port = (
            next((self._templar.template(task_vars[name]) for name in wanted if task_vars.get(name)), None)
            for wanted in (names, ("ansible_ssh_port", "ansible_port"))
        )
        try:
            return name_in_known_hosts(str(host), int(port or 22))
        except ValueError:
            raise SignetError(f"ansible_port is no number: {port}.", code="option_unusable", option="known_as") from None

    def _replaced(self, options: dict[str, Any], there: dict[str, Any], key: HostKey) -> None:
        """Refuses another key than the registered one, unless it is shown why it is another."""
        ref = f"{options['tenant']}/{options['name']}"
        old = there["match"].get(SELECTOR)
        if old is None or len(there["match"]) > 1:
            raise SignetError(
                f"{ref} is registered, and not by a host key but by {', '.join(sorted(there['match']))}: it is no host of this kind "
                "(not_a_host). Use signet_entry.",
                code="not_a_host",
                option="name",
            )
        if options["replace"] == "operator":
            if self.right.bounds is None:
                return
            raise SignetError(
                "replace=operator is for an operator with a Vault token of his own (vault_token), and not for a delegation.",
                code="operator_needed",
                option="replace",
            )
        if options["replace"] == "never":
            raise SignetError(
                f"{ref} is registered with another host key: registered is {old}, pinned in known_hosts is {key.fingerprint}. Another "
                "machine may answer in its place, or its key was rotated: then show it by replace=rotated_key, or have an operator "
                "replace it by replace=operator (host_key_differs).",
                code="host_key_differs",
                option="replace",
            )
        message = rotation_message(options["trust_domain"], ref, old, key.fingerprint)
        verify_rotation(options["rotation_proof"] or self._signed(options, message), message, old)

    def _signed(self, options: dict[str, Any], message: str) -> str:
        """The old key's signature, made on the host, where that key is and stays."""
        file = options["old_key_file"]
        if not file:
            raise SignetError(
                "replace=rotated_key needs old_key_file, the old private key on the host, or rotation_proof.",
                code="option_missing",
                option="old_key_file",
            )
        command = f"ssh-keygen -Y sign -q -f {shlex.quote(file)} -n {NAMESPACE}"
        ran = self._low_level_execute_command(command, in_data=message.encode())
        if ran["rc"] != 0:
            raise SignetError(
                f"The host could not sign with {file}: {ran['stderr'].strip()[:300]}", code="rotation_unproven", option="old_key_file"
            )
        return ran["stdout"]


def _from_now(within: str) -> str:
    at = datetime.now(timezone.utc) + timedelta(**{UNITS[within[-1]]: int(within[:-1])})
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
