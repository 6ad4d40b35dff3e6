# Copyright: the Signet authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Vault's response wrapping."""

from __future__ import annotations

import http.client
from typing import Any

from .errors import SignetError
from .https import TIMEOUT_S, Connection, Reply, context_of, exchange, is_untrusted, pem_of, reason_of, split_url


class Wrapped:
    """What a wrapping token holds. Nothing is tried twice: a token that is gone before its time was used by somebody else."""

    def __init__(self, token: str, address: str, ca: str | None, namespace: str | None) -> None:
        self._token = token
        self._tls, self._host, self._port = split_url(address, "vault_address", plain_on_loopback=True)
        self._context = context_of(pem_of(ca, "vault_ca"), "vault_ca")
        self._headers = {"X-Vault-Request": "true", **({"X-Vault-Namespace": namespace} if namespace else {})}

    def look_up(self, creation_path: str) -> None:
        """Spends nothing. Refuses what was wrapped by another call than the one that should have been made."""
        reply = self._call("lookup", {"token": self._token})
        data = (reply.body or {}).get("data") or {}
        path = data.get("creation_path")
        if path != creation_path:
            raise SignetError(
                f"The token was wrapped by {path}, and not by {creation_path}: somebody has put another in its place "
                "(wrapping_foreign). Nothing was unwrapped.",
                code="wrapping_foreign",
                option="creation_path",
            )

    def unwrap(self) -> dict[str, Any]:
        """What is inside, which is given out once."""
        body = self._call("unwrap", None).body or {}
        return body.get("data") or body.get("auth") or {}

    def _call(self, verb: str, body: object | None) -> Reply:
        try:
            if self._tls:
                connection: http.client.HTTPConnection = Connection(self._host, self._port, self._context, lambda _certificate: None)
            else:
                connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
            headers = {**self._headers, "X-Vault-Token": self._token}
            reply = exchange(connection, "POST", f"/v1/sys/wrapping/{verb}", headers, body)
        except (OSError, http.client.HTTPException) as error:
            if is_untrusted(error):
                raise SignetError(
                    "Whoever answers at vault_address is not trusted (VAULT_UNTRUSTED).", code="VAULT_UNTRUSTED", option="vault_ca"
                ) from None
            raise SignetError(
                f"Vault cannot be reached: {reason_of(error)} (VAULT_UNREACHABLE).", code="VAULT_UNREACHABLE", option="vault_address"
            ) from None
        if reply.status in (400, 403, 404):
            raise SignetError(
                "The wrapping token is gone: it has run out, or somebody else has unwrapped it. If it should still be good, take what "
                "it held for stolen, and revoke it (wrapping_gone).",
                code="wrapping_gone",
                option="wrapping_token",
            )
        if reply.status >= 400:
            raise SignetError(
                f"Vault does not answer now: status {reply.status} (VAULT_UNAVAILABLE).", code="VAULT_UNAVAILABLE", option="vault_address"
            )
        return reply
