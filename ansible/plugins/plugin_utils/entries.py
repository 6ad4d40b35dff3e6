# Copyright: the Signet authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Registration entries at the broker, as the Terraform provider writes them."""

from __future__ import annotations

from typing import Any

from .broker import Broker, Refusal
from .errors import SignetError
from .right import Right

FIELDS = ("match", "spiffe_id", "ttl", "networks", "federates_with", "appear_by")


class Entries:
    """One task's calls, with the run's right. What is refused is told at the option that it is about."""

    def __init__(self, broker: Broker, right: Right, options: dict[str, Any]) -> None:
        self._broker = broker
        self._right = right
        self._options = options
        self.ref = f"{options['tenant']}/{options['name']}"
        self._path = f"/v1/entries/{options['tenant'].replace('/', '.')}/{options['name']}"

    def read(self) -> dict[str, Any] | None:
        """The entry as it is there."""
        try:
            return self._call("GET", self._path)
        except Refusal as refusal:
            if refusal.code == "entry_not_found":
                return None
            raise self._told(refusal) from None

    def write(self, there: dict[str, Any] | None, content: dict[str, Any], *, enabled: bool) -> dict[str, Any]:
        """Makes it what it shall be; the same again completes what was cut off."""
        try:
            if there is None or there["state"] == "pending":
                now = self._call("POST", "/v1/entries", content)
            else:
                # off before it may say more, and on only when it says what it shall
                if not enabled and there["state"] == "active":
                    there = self._call("POST", f"{self._path}/disable", {})
                same = view(there)["content"] == view(content)["content"]
                changed = {name: value for name, value in content.items() if name not in ("tenant", "name")}
                now = there if same else self._call("PUT", self._path, changed)
            if enabled != (now["state"] == "active"):
                now = self._call("POST", f"{self._path}/{'enable' if enabled else 'disable'}", {})
            return now
        except Refusal as refusal:
            raise self._told(refusal) from None

    def remove(self) -> None:
        """Ends the identity: the next renewal is refused."""
        try:
            self._call("DELETE", self._path)
        except Refusal as refusal:
            if refusal.code != "entry_not_found":
                raise self._told(refusal) from None

    def _call(self, method: str, path: str, body: object | None = None) -> Any:
        return self._broker.call(method, path, token=self._right.token, body=body)

    def _told(self, refusal: Refusal) -> SignetError:
        message, option = self._told_of(refusal)
        return SignetError(f"{self.ref}: {message} ({refusal.code})", code=refusal.code, option=option)

    def _told_of(self, refusal: Refusal) -> tuple[str, str | None]:
        if refusal.code == "malformed" and refusal.defects:
            told = "; ".join(f"{pointer or '/'} {text}" for pointer, text in refusal.defects)
            first = refusal.defects[0][0].split("/")[1:2]
            return f"a value that the broker does not take: {told}.", first[0] if first else None
        if refusal.code == "entry_overlaps":
            return f"a workload could be taken for two: {refusal}. Add a selector that tells the two apart.", "match"
        if refusal.code == "token_missing":
            return "the broker takes a Vault token as it is: one word.", "vault_token"
        if refusal.code == "vault_denied":
            return self._denied()
        return f"refused: {refusal}.", None

    def _denied(self) -> tuple[str, str | None]:
        """Vault tells nobody why. What a delegation gives is known, so what was outside of it is."""
        bounds = self._right.bounds
        if bounds is None:
            return "Vault denies it to this token: it needs a registrar of the tenant.", "tenant"
        if bounds["access"] != "write":
            return "the token of a plan phase looks, and writes nothing.", "delegation"
        if self._options["tenant"] != bounds["tenant"]:
            return f"the delegation is for the tenant {bounds['tenant']}.", "tenant"
        if not self._options["name"].startswith(bounds["entries"]):
            return f"the delegation is for names that begin with {bounds['entries']}.", "name"
        path = (self._options["spiffe_id"] or "").partition("://")[2].partition("/")[2]
        if path and not path.startswith(tuple(bounds["id_prefixes"])):
            return f"the delegation is for IDs below {', '.join(bounds['id_prefixes'])}.", "spiffe_id"
        return "Vault denies it to what the delegation gives: the lifetime may be none of its layout.", "ttl"


def content_of(options: dict[str, Any], match: dict[str, str]) -> dict[str, Any]:
    """The entry that a task wants; its state is apart."""
    if not options["spiffe_id"]:
        raise SignetError("spiffe_id is not set: it is needed with state=present.", code="option_missing", option="spiffe_id")
    content = {name: options[name] for name in ("tenant", "name", "spiffe_id", "ttl", "networks", "federates_with")}
    if options["appear_by"]:
        content["appear_by"] = options["appear_by"]
    return {**content, "match": match}


def view(entry: dict[str, Any] | None, *, enabled: bool | None = None) -> dict[str, Any]:
    """What of an entry is compared and shown; lists are sets."""
    if entry is None:
        return {}
    content = {name: entry[name] for name in FIELDS if entry.get(name) is not None}
    for name in ("networks", "federates_with"):
        content[name] = sorted(content.get(name, []))
    return {"content": content, "enabled": entry.get("state") == "active" if enabled is None else enabled}
