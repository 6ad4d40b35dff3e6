#!/usr/bin/python
# Copyright: the Signet authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What ``signet_entry`` is told of; plugins/action/signet_entry.py does it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: signet_entry
author: Signet (@signet)
version_added: 0.1.0
short_description: Register what a workload must show, and the SPIFFE ID it then gets
description:
  - A registration entry at the broker. For a host that proves itself by its SSH host key, M(signet.identity.signet_host) reads the key
    from known_hosts, and refuses another one.
options:
  match:
    description:
      - What a workload must show, by selector, such as C(k8s:ns) and C(k8s:sa). All must be met, and all are of one kind.
      - Needed with O(state=present).
    type: dict
extends_documentation_fragment:
  - signet.identity.broker
  - signet.identity.broker.credential
  - signet.identity.entry
seealso:
  - module: signet.identity.signet_host
"""

EXAMPLES = r"""
- name: Register the pods of orders
  signet.identity.signet_entry:
    tenant: acme/shop
    name: orders
    spiffe_id: spiffe://example.org/ns/shop/sa/orders
    match:
      k8s:ns: shop
      k8s:sa: orders
"""

RETURN = r"""
id:
  description: Tenant and name.
  returned: always
  type: str
  sample: acme/shop/orders
entry:
  description: The entry as it is, or in check mode as it would be.
  returned: when state is present
  type: dict
code:
  description: Why it failed, in a word that stays the same, such as C(vault_denied).
  returned: on failure
  type: str
option:
  description: The option that the failure is about, as far as it is about one.
  returned: on failure
  type: str
"""
