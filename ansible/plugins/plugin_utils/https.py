# Copyright: the Signet authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""JSON over HTTPS, to a broker or to Vault: bounded, without redirects and without proxies."""

from __future__ import annotations

import http.client
import json
import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .errors import SignetError

TIMEOUT_S = 30
MAX_BYTES = 16 * 1024 * 1024
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Reply:
    """An answer; ``body`` is the parsed JSON, or None when it is none."""

    status: int
    headers: Mapping[str, str]
    body: Any

    def text(self, name: str) -> str | None:
        """A string field of the body."""
        value = self.body.get(name) if isinstance(self.body, dict) else None
        return value if isinstance(value, str) else None


def pem_of(text: str | None, option: str) -> str | None:
    """Certificates as PEM, of an option that holds them or the path of their file."""
    if not text:
        return None
    if "-----BEGIN CERTIFICATE-----" not in text:
        try:
            with open(os.path.expanduser(text), encoding="ascii") as file:
                text = file.read()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise SignetError(f"{option} cannot be read: {why}.", code="option_unusable", option=option) from None
    if "-----BEGIN CERTIFICATE-----" not in text or "PRIVATE KEY" in text:
        raise SignetError(f"{option} is certificates as PEM, and no key.", code="option_unusable", option=option)
    return text


def context_of(ca: str | None, option: str, *, tls13: bool = False) -> ssl.SSLContext:
    """A TLS client that believes these authorities alone; those of the system where none are given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if tls13 else ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        if ca is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(cadata=ca)
    except (ssl.SSLError, ValueError):
        raise SignetError(f"{option} holds no certificate that can be read.", code="option_unusable", option=option) from None
    return context


class Connection(http.client.HTTPSConnection):
    """One connection, on which nothing is sent before ``check`` has seen the certificate."""

    def __init__(self, host: str, port: int | None, context: ssl.SSLContext, check: Callable[[dict], None]) -> None:
        super().__init__(host, port, context=context, timeout=TIMEOUT_S)
        self._check = check

    def connect(self) -> None:
        super().connect()
        try:
            self._check(self.sock.getpeercert())
        except BaseException:
            self.close()
            raise


def exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: object | None,
) -> Reply:
    """Sends one request and reads the whole answer; every status is one.

    Raises OSError or http.client.HTTPException where there is no answer.
    """
    sent = {"Accept": "application/json", **headers}
    payload = None
    if body is not None:
        payload = json.dumps(body).encode()
        sent["Content-Type"] = "application/json"
    try:
        connection.request(method, path, payload, sent)
        response = connection.getresponse()
        read = response.read(MAX_BYTES + 1)
    finally:
        connection.close()
    if len(read) > MAX_BYTES:
        raise http.client.HTTPException(f"an answer of over {MAX_BYTES} bytes")
    try:
        parsed = json.loads(read)
    except ValueError:
        parsed = None
    return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, parsed)


def is_untrusted(error: BaseException) -> bool:
    """Whether a connection failed since the other side proved to be nobody that is trusted."""
    return isinstance(error, ssl.SSLCertVerificationError)


def reason_of(error: BaseException) -> str:
    """Why there was no answer, in a word."""
    if isinstance(error, TimeoutError):
        return f"no answer in {TIMEOUT_S} s"
    return getattr(error, "strerror", None) or type(error).__name__


def split_url(text: str, option: str, *, plain_on_loopback: bool = False) -> tuple[bool, str, int | None]:
    """Whether it is TLS, the host and the port of an address that has nothing else."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        url, port = urlsplit(""), None
    plain = url.scheme == "http" and plain_on_loopback and url.hostname in LOOPBACK
    extra = url.query or url.fragment or url.username is not None or url.path not in ("", "/")
    if not url.hostname or extra or not (plain or url.scheme == "https"):
        raise SignetError(f"{option} is https://, a host and perhaps a port.", code="option_unusable", option=option)
    return not plain, url.hostname, port
