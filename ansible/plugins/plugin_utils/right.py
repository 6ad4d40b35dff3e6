# Copyright: the Signet authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The right to register: an operator's own Vault token, or what a delegation gives for the run's OIDC token."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from .broker import Broker, Refusal
from .errors import SignetError
from .shared import RUN

RUN_TOKEN = "SIGNET_RUN_TOKEN"
WORD = re.compile(r"[\x21-\x7e]{1,16384}")
TOKEN = re.compile(r"[\x21-\x7e]{16,16384}")
COMMAND_S = 60
SOURCES = ("run_token", "run_token_file", "run_token_command", "run_token_variable")

ADVICE = {
    "run_token_spent": "The run's token was shown before. It is good once: give each run of ansible-playbook one of its own, or set "
    "run_token_command, which is asked for another.",
    "run_token_expired": "The run's token has run out: give the run a new one.",
    "run_token_audience": "The run's token is for others: have it issued for the delegation's audience, and for no other.",
    "run_token_issuer": "The run's token is of another issuer than the delegation's.",
    "run_token_invalid": "The run's token is none that the issuer signed for this. The broker tells why in its log (run_refused).",
}


@dataclass(frozen=True)
class Right:
    """``bounds`` is what a delegation gives; None for an operator's own token, of which only Vault knows."""

    token: str
    bounds: dict[str, Any] | None = None


def right_of(options: dict[str, Any], broker: Broker) -> Right:
    """The right that a task's options and the controller's environment give."""
    own, delegation = options["vault_token"], options["delegation"]
    if own and delegation and not options["delegation_of_environment"]:
        raise SignetError(
            "A run registers by its delegation, or with the operator's own vault_token: set one.", code="two_rights", option="vault_token"
        )
    if delegation and not own:
        return _delegated(broker, delegation, options)
    token = own or os.environ.get("VAULT_TOKEN")
    if not token:
        raise SignetError(
            "No right to register: set delegation, with the run's own token, or vault_token (or the environment variable "
            "VAULT_TOKEN), of a registrar.",
            code="no_right",
            option="delegation",
        )
    if not WORD.fullmatch(token):
        raise SignetError("vault_token is one word of printable characters.", code="option_unusable", option="vault_token")
    return Right(token)


def _delegated(broker: Broker, delegation: str, options: dict[str, Any]) -> Right:
    """Asked for once in a run, however many tasks and hosts need it: the run's token is good once."""
    key = f"{broker.url} {broker.trust_domain} {delegation}"
    with RUN.opened() as known:
        now = datetime.now(timezone.utc)
        given = known.get(key)
        if given is None or now > _instant(given["expires_at"]) - timedelta(seconds=30):
            known[key] = given = _redeem(broker, delegation, options, again=given is not None)
    bounds = {name: given[name] for name in ("access", "tenant", "id_prefixes", "entries")}
    return Right(given["token"], bounds)


def _redeem(broker: Broker, delegation: str, options: dict[str, Any], *, again: bool) -> dict[str, Any]:
    token, option = _run_token(options)
    try:
        answer = broker.call("POST", f"/v1/delegations/{delegation}", body={"token": token}, once=True)
        return {
            "token": str(answer["token"]),
            "expires_at": str(answer["expires_at"]),
            "access": str(answer["access"]),
            "tenant": str(answer["tenant"]),
            "entries": str(answer["entries"] or ""),
            "id_prefixes": [str(each) for each in answer["id_prefixes"]],
        }
    except (KeyError, TypeError):
        raise SignetError("The broker gave no token.", code="broker_answer", option="broker") from None
    except Refusal as refusal:
        ran_out = " What it was given at first has run out (--ttl of the delegation)." if again else ""
        raise _refused(refusal, delegation, option, ran_out) from None


def _refused(refusal: Refusal, delegation: str, option: str, more: str) -> SignetError:
    if refusal.code == "run_not_delegated":
        return SignetError(
            f"Nothing is delegated to this run: there is no delegation {delegation}, or it is for other claims than the token's. The "
            "broker tells which in its log (run_refused).",
            code=refusal.code,
            option="delegation",
        )
    advice = ADVICE.get(refusal.code, f"The broker refused the run's token: {refusal}.")
    return SignetError(f"{advice}{more} ({refusal.code})", code=refusal.code, option=option)


def _run_token(options: dict[str, Any]) -> tuple[str, str]:
    """The run's OIDC token, and the option that it comes from."""
    option, what = next((name for name in SOURCES if options[name]), "run_token_variable"), ""
    if option == "run_token":
        text, what = options[option], "run_token"
    elif option == "run_token_variable":
        variable = options[option] or RUN_TOKEN
        text, what = os.environ.get(variable, ""), f"The environment variable {variable}"
        if not text:
            raise SignetError(
                "The run has no token: set run_token_file or run_token_command, or the environment variable "
                f"{variable} of the controller.",
                code="run_token_missing",
                option=option,
            )
    else:
        text, what = _fetched(option, options[option])
    text = text.strip()
    if not TOKEN.fullmatch(text):
        raise SignetError(
            f"That is not a token: {what} holds none, which is one word of printable characters.", code="run_token_missing", option=option
        )
    return text, option


def _fetched(option: str, source: Any) -> tuple[str, str]:
    # what a command printed is not told: it may be half of a token
    what = f"The file {source}" if option == "run_token_file" else f"The command {source[0]}"
    try:
        if option == "run_token_file":
            with open(os.path.expanduser(source), encoding="ascii") as file:
                return file.read(65536), what
        ran = subprocess.run(source, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_S, check=True)
        return ran.stdout.decode("ascii"), what
    except subprocess.CalledProcessError as error:
        why = f"exit status {error.returncode}"
    except subprocess.TimeoutExpired:
        why = f"not ended in {COMMAND_S} s"
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
    raise SignetError(f"The run has no token: {what} failed: {why}.", code="run_token_missing", option=option) from None


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
