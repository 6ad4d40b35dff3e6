#!/usr/bin/python
# Copyright: the Signet authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What ``vault_unwrap`` is told of; plugins/action/vault_unwrap.py does it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_unwrap
author: Signet (@signet)
version_added: 0.1.0
short_description: Unwrap a wrapping token of Vault, once
description:
  - Looks first, which spends nothing, whether the token was wrapped by the call that should have been made, then unwraps it. A token that
    is gone before its time was used by somebody else, and the task says so.
  - The controller asks Vault. With O(dest) what was inside goes to a file on the host by standard input, and is shown nowhere. The file is
    made before the token is spent. If it is there already, nothing is unwrapped.
options:
  wrapping_token:
    description: The wrapping token, good once.
    type: str
    required: true
  creation_path:
    description: The call of Vault that wrapped it, such as V(auth/signet-approle/role/broker/secret-id).
    type: str
    required: true
  field:
    description: The field wanted of what is inside, such as V(secret_id). Needed with O(dest).
    type: str
  dest:
    description:
      - A file on the host that gets the field. Without it, what was inside is returned, and the task must have C(no_log=true).
    type: str
  owner:
    description: Owner of the file.
    type: str
  group:
    description: Group of the file.
    type: str
  mode:
    description: Mode of the file.
    type: str
    default: "0400"
  vault_address:
    description: Vault's address, plain http on loopback only. Without it, E(VAULT_ADDR) of the controller.
    type: str
  vault_ca:
    description: The authorities for Vault's certificate, as PEM or the path of their file on the controller. Without it,
      E(VAULT_CACERT), or else those of the system.
    type: str
  vault_namespace:
    description: Vault namespace. Without it, E(VAULT_NAMESPACE).
    type: str
attributes:
  check_mode:
    description: Looks the token up, and unwraps nothing.
    support: full
  diff_mode:
    description: Nothing of it may be shown.
    support: none
"""

EXAMPLES = r"""
- name: Give the broker its secret id
  signet.identity.vault_unwrap:
    wrapping_token: "{{ lookup('ansible.builtin.env', 'BROKER_SECRET_WRAPPED') }}"
    creation_path: auth/signet-approle/role/broker/secret-id
    field: secret_id
    dest: /etc/signet/secret-id
    owner: signet
  become: true
"""

RETURN = r"""
dest:
  description: The file on the host.
  returned: when dest is given
  type: str
data:
  description: What was inside, or its field.
  returned: without dest
  type: raw
code:
  description: Why it failed, in a word that stays the same, such as C(wrapping_gone).
  returned: on failure
  type: str
option:
  description: The option that the failure is about, as far as it is about one.
  returned: on failure
  type: str
"""
