# Copyright: the Signet authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The broker's API, spoken to by whoever has pinned its authority and its SPIFFE ID."""

from __future__ import annotations

import http.client
import random
import ssl
import time
from typing import Any

from .errors import SignetError
from .https import Connection, Reply, context_of, exchange, is_untrusted, pem_of, reason_of, split_url

ATTEMPTS = 8
FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 15
WHOLE_CALL_S = 120


class Refusal(Exception):
    """What the broker says to a call that it does not do (RFC 9457)."""

    def __init__(self, reply: Reply) -> None:
        title = reply.text("title") or f"status {reply.status}"
        super().__init__(": ".join(filter(None, [title, reply.text("detail")])))
        self.status = reply.status
        self.code = reply.text("code") or f"status_{reply.status}"
        self.retry_after = reply.headers.get("retry-after")
        errors = reply.body.get("errors") if isinstance(reply.body, dict) else None
        self.defects = [
            (str(each.get("pointer", "")), str(each.get("message", "")))
            for each in (errors if isinstance(errors, list) else [])
            if isinstance(each, dict)
        ]

    @property
    def is_busy(self) -> bool:
        """Whether the same call may succeed a little later."""
        return self.status in (429, 503) or self.code == "concurrent_write"


class Broker:
    """Believed by the pinned authority and by its own SPIFFE ID. Its host name says nothing: whoever owns DNS would else be it."""

    def __init__(self, url: str, ca: str, trust_domain: str) -> None:
        _tls, self.host, self.port = split_url(url, "broker")
        self.url = url.rstrip("/")
        self.trust_domain = trust_domain
        self._context = context_of(pem_of(ca, "broker_ca"), "broker_ca", tls13=True)
        self._context.check_hostname = False

    def call(self, method: str, path: str, *, token: str | None = None, body: object | None = None, once: bool = False) -> Any:
        """One call, again while the broker is busy or cannot be reached: what was done already is found done.

        ``once``: sent once whatever the answer, since what it holds is spent by being sent.
        Raises Refusal; SignetError when it cannot be reached, or is not the broker.
        """
        headers = {} if token is None else {"X-Vault-Token": token}
        end = time.monotonic() + WHOLE_CALL_S
        for attempt in range(1, ATTEMPTS + 1):
            wait = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (attempt - 1)) * random.uniform(0.5, 1)
            last = once or attempt == ATTEMPTS
            try:
                connection = Connection(self.host, self.port, self._context, self._check)
                reply = exchange(connection, method, path, headers, body)
                if reply.status < 400:
                    return reply.body
                raise Refusal(reply)
            except Refusal as refusal:
                if last or not refusal.is_busy:
                    raise
                wait = max(wait, _seconds(refusal.retry_after))
                if time.monotonic() + wait > end:
                    raise
            except (OSError, http.client.HTTPException) as error:
                if last or is_untrusted(error) or time.monotonic() + wait > end:
                    raise self._unreachable(error) from None
            time.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _check(self, certificate: dict) -> None:
        uris = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"]
        if uris != [f"spiffe://{self.trust_domain}/signet/broker"]:
            raise ssl.SSLCertVerificationError("the certificate is not the broker's")

    def _unreachable(self, error: Exception) -> SignetError:
        where = self.host if self.port is None else f"{self.host}:{self.port}"
        if is_untrusted(error):
            return SignetError(
                f"Whoever answers at {where} is not the broker: it showed a certificate that is not of broker_ca, or not the "
                "broker's of this trust_domain (BROKER_UNTRUSTED).",
                code="BROKER_UNTRUSTED",
                option="broker",
            )
        return SignetError(
            f"The broker cannot be reached: {where} gave no answer: {reason_of(error)}.",
            code="BROKER_UNREACHABLE",
            option="broker",
        )


def _seconds(text: str | None) -> float:
    try:
        return min(LONGEST_WAIT_S, max(0.0, float(text or 0)))
    except ValueError:
        return 0
