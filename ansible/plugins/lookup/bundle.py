# Copyright: the Signet authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The trust domain's authorities."""

from __future__ import annotations

DOCUMENTATION = r"""
name: bundle
author: Signet (@signet)
version_added: 0.1.0
short_description: The authorities of a trust domain
description:
  - Asks the broker for the trust domain's bundle, in TLS in which the broker is known by its pinned authority and its SPIFFE ID.
  - It needs no token. Runs on the controller.
options:
  _terms:
    description: V(pem) or V(json); without one, V(pem).
    type: list
    elements: str
extends_documentation_fragment:
  - signet.identity.broker
"""

EXAMPLES = r"""
- name: Give nginx the authorities that it shall believe
  ansible.builtin.copy:
    content: "{{ lookup('signet.identity.bundle', broker='https://signet.example.org:8555', broker_ca='root.pem',
                        trust_domain='example.org') }}"
    dest: /etc/nginx/signet.pem
    mode: "0644"
"""

RETURN = r"""
_raw:
  description: The authorities as PEM, or the SPIFFE bundle (JWK set) as JSON, once for each term.
  type: list
  elements: str
"""

import base64
import binascii
import json
import ssl
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ..plugin_utils.broker import Refusal
from ..plugin_utils.errors import SignetError
from ..plugin_utils.options import broker_of

FORMS = ("pem", "json")


class LookupModule(LookupBase):
    """``lookup('signet.identity.bundle')``."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        forms = terms or ["pem"]
        if unknown := [form for form in forms if form not in FORMS]:
            raise AnsibleError(f"bundle: {unknown[0]} is none of {', '.join(FORMS)}")
        options = {name: self.get_option(name) for name in ("broker", "broker_ca", "trust_domain")}
        try:
            document = broker_of(options).call("GET", "/v1/bundle")
            pem = _pem_of(document)
        except SignetError as error:
            raise AnsibleError(f"bundle: {error}") from None
        except Refusal as refusal:
            raise AnsibleError(f"bundle: the broker refused: {refusal} ({refusal.code})") from None
        return [pem if form == "pem" else json.dumps(document) for form in forms]


def _pem_of(document: Any) -> str:
    """Every X.509 authority, of which there is at least one: a bundle without any trusts nobody."""
    try:
        keys = [key for key in document["keys"] if key.get("use") == "x509-svid"]
        certificates = [ssl.DER_cert_to_PEM_cert(base64.b64decode(key["x5c"][0], validate=True)) for key in keys]
    except (KeyError, TypeError, IndexError, AttributeError, binascii.Error, ValueError):
        certificates = []
    if not certificates:
        raise SignetError("the broker gave no bundle with authorities.", code="broker_answer", option="broker")
    return "".join(certificates)
