# Copyright: the Signet authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The published policies, by the controller's own ``signet``, which understands them as sidecars do."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from ..plugin_utils.action import SignetAction
from ..plugin_utils.errors import SignetError
from ..plugin_utils.right import WORD

PUBLISH_S = 120


class ActionModule(SignetAction):
    """``signet_policy``, on the controller. Vault is spoken to directly: no broker is shown the token of an author."""

    SPEC = {
        "sources": {"type": "list", "elements": "path", "required": True},
        "vault_token": {"type": "str", "no_log": True},
        "vault_address": {"type": "str"},
        "vault_ca": {"type": "path"},
        "vault_namespace": {"type": "str"},
        "executable": {"type": "path", "default": "signet"},
    }
    _requires_connection = False

    def act(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        token = options["vault_token"] or os.environ.get("VAULT_TOKEN")
        if not token or not WORD.fullmatch(token):
            raise SignetError(
                "vault_token is not set, or no token: set it, or the environment variable VAULT_TOKEN of the controller, to an author's.",
                code="option_missing",
                option="vault_token",
            )
        flags = ["--json", "--if-changed", "--token-stdin", *(["--dry-run"] if self._task.check_mode else [])]
        sources = [each for each in options["sources"] if not each.startswith("-")]
        if not sources or sources != options["sources"]:
            raise SignetError("sources: name files and folders on the controller.", code="option_unusable", option="sources")
        told = self._signet([options["executable"], "policy", "publish", *flags, "--", *sources], token, options)
        counts = {name: int(told[name]) for name in ("added", "changed", "removed")}
        changed = bool(told["published"]) or any(counts.values())
        result: dict[str, Any] = {"changed": changed, "version": told["version"], "documents": told["documents"], "counts": counts}
        if self._task.diff:
            result["diff"] = {"prepared": ", ".join(f"{count} {name}" for name, count in counts.items()) + "\n"}
        return result

    def _signet(self, command: list[str], token: str, options: dict[str, Any]) -> dict[str, Any]:
        env = {name: value for name, value in os.environ.items() if name != "VAULT_TOKEN"}
        given = {"VAULT_ADDR": "vault_address", "VAULT_CACERT": "vault_ca", "VAULT_NAMESPACE": "vault_namespace"}
        env.update({name: options[option] for name, option in given.items() if options[option]})
        cwd = self._loader.get_basedir()
        try:
            ran = subprocess.run(
                command, input=f"{token}\n".encode(), capture_output=True, timeout=PUBLISH_S, check=False, env=env, cwd=cwd
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            why = getattr(error, "strerror", None) or f"not ended in {PUBLISH_S} s"
            raise SignetError(
                f"{command[0]} of the controller cannot be used: {why}. The package signet has it.",
                code="signet_missing",
                option="executable",
            ) from None
        output, errors = ran.stdout.decode("utf-8", "replace"), ran.stderr.decode("utf-8", "replace")
        try:
            told = json.loads(output)
        except ValueError:
            told = {}
        if ran.returncode == 0 and isinstance(told, dict) and "version" in told:
            return told
        defects = told.get("defects") if isinstance(told, dict) else None
        if defects:
            why = "; ".join(f"{each.get('file')}{each.get('pointer', '')}: {each.get('message')}" for each in defects)
            raise SignetError(f"Policies that sidecars would not take: {why}", code="policy_refused", option="sources")
        raise SignetError(f"The policies were not published: {(errors or output).strip()[-1000:]}", code="not_published", option=None)
