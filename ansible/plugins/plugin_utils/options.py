# Copyright: the Signet authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Options that several plugins have, and the forms of what they hold."""

from __future__ import annotations

import os
import re
from typing import Any

from .broker import Broker
from .errors import SignetError

BROKER = {
    "broker": {"type": "str"},
    "broker_ca": {"type": "str"},
    "trust_domain": {"type": "str"},
}

CREDENTIAL = {
    "vault_token": {"type": "str", "no_log": True},
    "delegation": {"type": "str"},
    "run_token": {"type": "str", "no_log": True},
    "run_token_file": {"type": "path", "no_log": False},
    "run_token_command": {"type": "list", "elements": "str", "no_log": False},
    "run_token_variable": {"type": "str", "no_log": False},
}

ENTRY = {
    "tenant": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "spiffe_id": {"type": "str"},
    "ttl": {"type": "str", "default": "15m"},
    "networks": {"type": "list", "elements": "str", "default": []},
    "federates_with": {"type": "list", "elements": "str", "default": []},
    "enabled": {"type": "bool", "default": True},
    "appear_by": {"type": "str"},
}

EXCLUSIVE = [["run_token", "run_token_file", "run_token_command", "run_token_variable"]]

NAME = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
FORMS = {
    "tenant": (rf"{NAME}(?:/{NAME}){{0,3}}", "A tenant is one to four names of a-z, 0-9 and -, joined by /, such as acme/shop."),
    "name": (NAME, "A name is 1 to 63 of a-z, 0-9 and -, and does not begin or end with -."),
    "ttl": (r"[1-9][0-9]{0,5}[smh]", "A lifetime is a number with s, m or h, such as 15m."),
    "spiffe_id": (
        r"spiffe://[a-z0-9._-]+/[^\s?#]+",
        "A SPIFFE ID is spiffe://, the trust domain and a path, such as spiffe://example.org/ns/shop/sa/orders.",
    ),
    "appear_by": (
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
        "A time is in UTC and whole seconds, such as 2030-01-31T12:00:00Z.",
    ),
    "appear_within": (r"[1-9][0-9]{0,4}[mhd]", "It is a number with m, h or d, such as 24h."),
    "trust_domain": (r"[a-z0-9._-]{1,255}", "It is a trust domain, such as example.org."),
    "delegation": (NAME, "It is the name of a delegation."),
    "run_token_variable": (r"[A-Z_][A-Z0-9_]{0,127}", "It is the name of an environment variable."),
}


def check_forms(options: dict[str, Any]) -> None:
    """Refuses a value that cannot be right, before anybody is asked."""
    for name, (form, message) in FORMS.items():
        value = options.get(name)
        if value is not None and not re.fullmatch(form, value):
            raise SignetError(f"{name}: {message}", code="option_unusable", option=name)


def broker_of(options: dict[str, Any]) -> Broker:
    """The broker that the options or the controller's environment name. Every option that is missing is told at once."""
    variables = {"broker": "SIGNET_BROKER_URL", "broker_ca": "SIGNET_BROKER_CA", "trust_domain": "SIGNET_TRUST_DOMAIN"}
    for name, variable in variables.items():
        options[name] = options.get(name) or os.environ.get(variable) or None
    missing = [name for name in variables if options[name] is None]
    if missing:
        told = [f"{name} is not set: set it, or the environment variable {variables[name]} of the controller." for name in missing]
        raise SignetError(" ".join(told), code="option_missing", option=missing[0])
    check_forms(options)
    return Broker(options["broker"], options["broker_ca"], options["trust_domain"])


def add_delegation(options: dict[str, Any]) -> None:
    """A delegation that the environment names gives way to a token that the task does."""
    named = options["delegation"]
    options["delegation"] = named or os.environ.get("SIGNET_DELEGATION") or None
    options["delegation_of_environment"] = named is None
