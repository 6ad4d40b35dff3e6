# Copyright: the Signet authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Options of whatever speaks to the broker."""

from __future__ import annotations


class ModuleDocFragment:
    """Where the broker is and by what it is known; and with what right it is asked."""

    DOCUMENTATION = r"""
options:
  broker:
    description: The broker's address, such as V(https://signet.example.org:8555). Without it, E(SIGNET_BROKER_URL) of the controller.
    type: str
  broker_ca:
    description:
      - The authority that the broker is known by, as PEM or the path of its file on the controller. Without it, the file that
        E(SIGNET_BROKER_CA) names. The machine's own authorities are never believed.
    type: str
  trust_domain:
    description: The trust domain, such as V(example.org). Without it, E(SIGNET_TRUST_DOMAIN) of the controller.
    type: str
"""

    CREDENTIAL = r"""
options:
  vault_token:
    description:
      - The operator's own Vault token, of a registrar. Without it, and without O(delegation), E(VAULT_TOKEN) of the controller.
      - Prefer the environment. A token that stands in a variable is shown by whatever shows variables.
    type: str
  delegation:
    description:
      - The delegation by which the run's own OIDC token gives the right to register. Without it, and without O(vault_token),
        E(SIGNET_DELEGATION) of the controller.
      - It is asked for once in a run of C(ansible-playbook), and what it gives is kept in the memory of that run alone.
    type: str
  run_token:
    description:
      - The run's OIDC token, which is good once. Without it, and without the next two, the variable that O(run_token_variable) names.
    type: str
  run_token_file:
    description: A file on the controller that holds it.
    type: path
  run_token_command:
    description: A program on the controller and its arguments that print one. No shell is between.
    type: list
    elements: str
  run_token_variable:
    description: The environment variable of the controller that holds it; E(SIGNET_RUN_TOKEN) if not set.
    type: str
notes:
  - Runs on the controller, whatever host the task is for. Tokens do not travel to the host, and are in no argument, fact, variable or file.
attributes:
  check_mode:
    description: Finds out what it would do, and does nothing. With O(delegation) the run's token is shown for that, and so spent.
    support: full
  diff_mode:
    description: Tells the fields before and after.
    support: full
"""
