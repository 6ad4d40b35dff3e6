#!/usr/bin/python
# Copyright: the Signet authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What ``signet_host`` is told of; plugins/action/signet_host.py does it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: signet_host
author: Signet (@signet)
version_added: 0.1.0
short_description: Register a host with the SSH host key that the controller has pinned
description:
  - Reads the host's key from the controller's known_hosts, where it is pinned, and registers its fingerprint. The host then proves
    possession of that key (C(SIGNET_ATTEST=ssh-host:...)) whenever it needs an identity. No secret is handed over or left behind.
  - A host that is registered with another key is refused, and the task says so, unless O(replace) shows why.
options:
  appear_within:
    description:
      - As O(appear_by), reckoned once, from when the host or its key is registered. V(30m), V(24h) or V(7d).
    type: str
  known_as:
    description:
      - The host's name in known_hosts, as ssh looks it up; C([name]:port) for another port than 22. Without it, what Ansible connects to.
    type: str
  known_hosts:
    description:
      - Files on the controller in which the key is pinned. Without it, C(~/.ssh/known_hosts) and C(/etc/ssh/ssh_known_hosts). Hashed
        names are understood. Lines with C(@cert-authority) pin no key, and a key that is C(@revoked) is refused.
    type: list
    elements: path
    default: []
  key_type:
    description: Which of the pinned keys. Without it, the Ed25519 one, or where none is pinned the ECDSA one.
    type: str
    choices: [ed25519, ecdsa]
  replace:
    description:
      - What is done about a host that is registered with another key. V(never) refuses it.
      - V(rotated_key) replaces it when the old key has signed for the new one, see O(old_key_file) and O(rotation_proof).
      - V(operator) replaces it by the word of an operator, with a Vault token of his own, and not with a delegation.
    type: str
    choices: [never, rotated_key, operator]
    default: never
  old_key_file:
    description:
      - The old private key, where it is on the host. The host signs with it by C(ssh-keygen -Y sign), as the user that the task becomes.
        The key stays where it is, the controller verifies the signature.
    type: str
  rotation_proof:
    description:
      - The signature, where it was made ahead, in the namespace C(signet-host-key-rotation-v1), over five lines, each with its end. They
        are the namespace, the trust domain, tenant and name as V(acme/shop/web-1), the old and the new fingerprint.
    type: str
extends_documentation_fragment:
  - signet.identity.broker
  - signet.identity.broker.credential
  - signet.identity.entry
seealso:
  - module: signet.identity.signet_entry
"""

EXAMPLES = r"""
- name: Register every host of the play with its pinned key
  signet.identity.signet_host:
    tenant: acme/shop
    name: "host-{{ inventory_hostname_short }}"
    spiffe_id: "spiffe://example.org/ns/shop/host/{{ inventory_hostname_short }}"
    delegation: shop-hosts
    appear_within: 24h

- name: Take up the new key of a host whose key was rotated on purpose
  signet.identity.signet_host:
    tenant: acme/shop
    name: "host-{{ inventory_hostname_short }}"
    spiffe_id: "spiffe://example.org/ns/shop/host/{{ inventory_hostname_short }}"
    replace: rotated_key
    old_key_file: /etc/ssh/ssh_host_ed25519_key.old
  become: true
"""

RETURN = r"""
id:
  description: Tenant and name.
  returned: always
  type: str
  sample: acme/shop/host-web1
entry:
  description: The entry as it is, or in check mode as it would be.
  returned: when state is present
  type: dict
ssh_host_key:
  description: The pinned key that was registered.
  returned: when state is present
  type: dict
  contains:
    fingerprint:
      description: Its fingerprint, as C(ssh-keygen -l) prints it.
      type: str
    type:
      description: Its type.
      type: str
code:
  description: Why it failed, in a word that stays the same, such as C(host_key_differs).
  returned: on failure
  type: str
option:
  description: The option that the failure is about, as far as it is about one.
  returned: on failure
  type: str
"""
