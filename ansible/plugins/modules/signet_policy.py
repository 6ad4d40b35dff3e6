#!/usr/bin/python
# Copyright: the Signet authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What ``signet_policy`` is told of; plugins/action/signet_policy.py does it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: signet_policy
author: Signet (@signet)
version_added: 0.1.0
short_description: Publish the policies of a trust domain
description:
  - The policies of the trust domain, which are every document of every service there shall be, signed with the author's own Vault token
    (C(signet-author)). Vault is spoken to directly, by the program C(signet) of the controller, which is given the token by standard
    input. What sidecars would not take is refused before anything is written.
options:
  sources:
    description: Policy files, and folders of them, on the controller; relative to the playbook.
    type: list
    elements: path
    required: true
  vault_token:
    description: The author's Vault token. Without it, E(VAULT_TOKEN) of the controller, which is to be preferred.
    type: str
  vault_address:
    description: Vault's address. Without it, E(VAULT_ADDR) of the controller.
    type: str
  vault_ca:
    description: File on the controller of the authorities for Vault's certificate. Without it, E(VAULT_CACERT).
    type: path
  vault_namespace:
    description: Vault namespace. Without it, E(VAULT_NAMESPACE).
    type: str
  executable:
    description: The program C(signet) on the controller.
    type: path
    default: signet
notes:
  - Runs on the controller, whatever host the task is for.
attributes:
  check_mode:
    description: Tells what would change, and publishes nothing.
    support: full
  diff_mode:
    description: Tells how many documents are new, changed and gone.
    support: partial
"""

EXAMPLES = r"""
- name: Publish all policies
  signet.identity.signet_policy:
    sources:
      - policies
  run_once: true
"""

RETURN = r"""
version:
  description: The version that is published, or in check mode the present one.
  returned: success
  type: int
documents:
  description: How many documents there are.
  returned: success
  type: int
counts:
  description: How many were added, changed and removed.
  returned: success
  type: dict
code:
  description: Why it failed, in a word that stays the same, such as C(policy_refused).
  returned: on failure
  type: str
option:
  description: The option that the failure is about, as far as it is about one.
  returned: on failure
  type: str
"""
