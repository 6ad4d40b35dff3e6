# Copyright: the Signet authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""SSH host keys: those that the controller has pinned, and what an old one says of a new one. By the controller's ``ssh-keygen``."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import subprocess
import tempfile
from dataclasses import dataclass

from .errors import SignetError

KNOWN_HOSTS = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")
TYPES = {
    "ed25519": ("ssh-ed25519",),
    "ecdsa": ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
}
NAMESPACE = "signet-host-key-rotation-v1"
BEGIN, END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
KEYGEN_S = 30
MAX_PROOF = 16 * 1024


@dataclass(frozen=True)
class HostKey:
    """A public key, as it stands in a known_hosts file."""

    type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As ``ssh-keygen -l`` prints it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    @property
    def line(self) -> str:
        """Type and base64."""
        return f"{self.type} {base64.b64encode(self.blob).decode()}"


def name_in_known_hosts(host: str, port: int) -> str:
    """The name that ssh looks a host up by."""
    return host if port == 22 else f"[{host}]:{port}"


def pinned_key(name: str, files: list[str], key_type: str | None) -> HostKey:
    """The one key that the controller has pinned for a host: Ed25519 if there is one, unless the type is asked for."""
    places = [os.path.expanduser(each) for each in files or KNOWN_HOSTS]
    for each in files:
        if not os.path.isfile(os.path.expanduser(each)):
            raise SignetError(f"known_hosts: {each} is no file on the controller.", code="option_unusable", option="known_hosts")
    found = [line for place in places if os.path.isfile(place) for line in _lines_of(name, place)]
    revoked = {blob for marker, _type, blob in found if marker == "@revoked"}
    for wanted in [key_type] if key_type else list(TYPES):
        keys = {blob: kind for marker, kind, blob in found if marker is None and kind in TYPES[wanted]}
        if not keys:
            continue
        if len(keys) > 1:
            told = ", ".join(sorted(HostKey(kind, blob).fingerprint for blob, kind in keys.items()))
            raise _not_pinned(f"several {wanted} keys are pinned for {name}: {told}. Leave the one that is the host's", "key_ambiguous")
        ((blob, kind),) = keys.items()
        if blob in revoked:
            raise _not_pinned(f"the key that is pinned for {name} is marked @revoked", "key_revoked")
        return HostKey(kind, blob)
    what = f"{key_type} key" if key_type else "Ed25519 or ECDSA key"
    raise _not_pinned(
        f"no {what} is pinned for {name} in {', '.join(places)}. Pin the host's key by a way that you trust, such as its console; "
        "what ssh-keyscan is told by whoever answers proves nothing",
        "key_not_pinned",
    )


def _not_pinned(message: str, code: str) -> SignetError:
    return SignetError(f"known_hosts: {message} ({code}).", code=code, option="known_hosts")


def _lines_of(name: str, file: str) -> list[tuple[str | None, str, bytes]]:
    """Marker, type and key of each line for that name, hashed or not. A CA's line pins no host's key."""
    ran = _keygen(["-F", name, "-f", file])
    if ran.returncode != 0:
        return []
    lines = []
    for line in ran.stdout.decode("utf-8", "replace").splitlines():
        fields = line.split()
        if not fields or fields[0] == "#":
            continue
        marker = fields.pop(0) if fields[0].startswith("@") else None
        if len(fields) < 3 or marker == "@cert-authority":
            continue
        try:
            blob = base64.b64decode(fields[2], validate=True)
        except (binascii.Error, ValueError):
            continue
        if _strings(blob)[:1] == [fields[1].encode()]:
            lines.append((marker, fields[1], blob))
    return lines


def rotation_message(trust_domain: str, ref: str, old: str, new: str) -> str:
    """What an old host key signs: this entry's key, from this one to that one."""
    return f"{NAMESPACE}\n{trust_domain}\n{ref}\n{old}\n{new}\n"


def verify_rotation(proof: str, message: str, old: str) -> None:
    """Refuses a proof that is not the signature of the key with this fingerprint over this message."""
    signer = _signer_of(proof)
    if signer.fingerprint != old:
        raise _no_proof(f"it was made with {signer.fingerprint}, and registered is {old}")
    with tempfile.TemporaryDirectory() as folder:
        allowed, signature = os.path.join(folder, "allowed_signers"), os.path.join(folder, "signature")
        with open(allowed, "w", encoding="ascii") as file:
            file.write(f'host namespaces="{NAMESPACE}" {signer.line}\n')
        with open(signature, "w", encoding="ascii") as file:
            file.write(proof)
        ran = _keygen(["-Y", "verify", "-f", allowed, "-I", "host", "-n", NAMESPACE, "-s", signature], message.encode())
    if ran.returncode != 0:
        raise _no_proof("it is not over the key that is pinned now, for this host and trust domain")


def _signer_of(proof: str) -> HostKey:
    """The key that an armoured SSHSIG says it was made with (PROTOCOL.sshsig)."""
    lines = [line.strip() for line in proof.strip().splitlines()]
    if len(proof) > MAX_PROOF or not proof.isascii() or lines[:1] != [BEGIN] or lines[-1:] != [END]:
        raise _no_proof("it is no SSH signature, as ssh-keygen -Y sign makes it")
    try:
        blob = base64.b64decode("".join(lines[1:-1]), validate=True)
    except (binascii.Error, ValueError):
        blob = b""
    key = (_strings(blob[10:])[:1] or [b""])[0] if blob.startswith(b"SSHSIG\0\0\0\1") else b""
    kind = (_strings(key)[:1] or [b""])[0].decode("ascii", "replace")
    if kind not in TYPES["ed25519"] + TYPES["ecdsa"]:
        raise _no_proof("it is no signature by an Ed25519 or ECDSA key")
    return HostKey(kind, key)


def _no_proof(why: str) -> SignetError:
    return SignetError(f"The proof of the rotation is none: {why} (rotation_unproven).", code="rotation_unproven", option="replace")


def _strings(blob: bytes) -> list[bytes]:
    """The leading strings of RFC 4251, as many as there are."""
    found, at = [], 0
    while at + 4 <= len(blob):
        length = int.from_bytes(blob[at : at + 4], "big")
        if at + 4 + length > len(blob):
            break
        found.append(blob[at + 4 : at + 4 + length])
        at += 4 + length
    return found


def _keygen(args: list[str], sent: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["ssh-keygen", *args], input=sent, capture_output=True, timeout=KEYGEN_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        why = getattr(error, "strerror", None) or f"not ended in {KEYGEN_S} s"
        raise SignetError(f"ssh-keygen of the controller cannot be used: {why}.", code="ssh_keygen", option="known_hosts") from None
