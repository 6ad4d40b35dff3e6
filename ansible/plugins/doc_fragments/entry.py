# Copyright: the Signet authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Options of whatever is an entry."""

from __future__ import annotations


class ModuleDocFragment:
    """What every entry has."""

    DOCUMENTATION = r"""
options:
  tenant:
    description: Whose it is. One to four names, such as V(acme/shop).
    type: str
    required: true
  name:
    description: Its name within the tenant, 1 to 63 of C(a-z), C(0-9) and C(-).
    type: str
    required: true
  state:
    description: V(absent) ends the identity. The next renewal is refused, and SVIDs end with their lifetime.
    type: str
    choices: [present, absent]
    default: present
  spiffe_id:
    description: The SPIFFE ID that it gives. Needed with O(state=present). A path segment may be a selector in braces.
    type: str
  ttl:
    description: How long an SVID lives, which is one of the lifetimes of the Vault layout.
    type: str
    default: 15m
  networks:
    description: Networks (CIDR) from which SVIDs may be asked for; none means any. Vault holds to it.
    type: list
    elements: str
    default: []
  federates_with:
    description: Trust domains whose bundles it is given too.
    type: list
    elements: str
    default: []
  enabled:
    description: Whether it gives identities. Disabled, it stays and is refused, by Vault too.
    type: bool
    default: true
  appear_by:
    description:
      - A time in UTC, such as V(2030-01-31T12:00:00Z). Whoever has not shown up by then is refused for good. Whoever has may come again
        at any time.
    type: str
"""
