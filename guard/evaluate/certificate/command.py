"""What `guard evaluate --policy` does: checks that the guard obeys that policy, asks, writes."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson

from guard.errors import EvaluateError
from guard.evaluate.arms import Endpoint
from guard.evaluate.certificate.asking import certify
from guard.evaluate.certificate.writing import certificate_data, certificate_page
from guard.evaluate.provenance import command_line
from guard.policy import Policy, PolicySet, load_policy_set


@dataclass(frozen=True, slots=True)
class Question:
    """What evidence is wanted for, and where to ask. Addresses are without /v1."""

    policy: str
    policies: Path
    url: str
    direct: str | None = None
    model: str | None = None
    api_key_file: Path | None = None
    probes: int | None = None
    seed: int = 0

    def command(self) -> str:
        """The command that asks the same again."""
        given = {
            "--policy": self.policy,
            "--policies": self.policies,
            "--url": self.url,
            "--direct": self.direct,
            "--model": self.model,
            "--api-key-file": self.api_key_file,
            "--probes": self.probes,
            "--seed": self.seed,
        }
        words = [
            str(w) for flag, value in given.items() if value is not None for w in (flag, value)
        ]
        return command_line(["evaluate", *words])


def evidence(question: Question, out: Path, *, show_leaks: bool = False) -> dict[str, Any]:
    """Writes NAME.html and NAME.json into `out` and gives back the JSON.

    Raises PolicyError, EvaluateError, OSError, and ValueError for a policy with nothing to ask
    about.
    """
    policies = load_policy_set(question.policies)
    policy = _policy(policies, question.policy)
    key = None
    if question.api_key_file is not None:
        key = question.api_key_file.read_text("utf-8").strip()
    obeyed = _obeyed(question.url)
    if obeyed != policies.hash:
        raise EvaluateError(
            f"the guard obeys the set {obeyed}, not {policies.hash} of {question.policies}"
        )
    model = question.model or _first_model(question.url, key)
    with ExitStack() as open_arms:
        guarded = Endpoint(
            "guard", question.url, model, what="", revision=obeyed, weights="", api_key=key
        )
        open_arms.callback(guarded.close)
        bare = None
        if question.direct is not None:
            bare = Endpoint("model", question.direct, model, what="", revision="", weights="")
            open_arms.callback(bare.close)
        found = certify(
            policy, policies.hash, guarded, bare, count=question.probes, seed=question.seed
        )
    if _obeyed(question.url) != obeyed:
        raise EvaluateError("the guard's policies changed while it was asked: begin again")
    data = certificate_data(found, command=question.command(), show_leaks=show_leaks)
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{policy.name}.html").write_text(certificate_page(data), "utf-8")
    (out / f"{policy.name}.json").write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2))
    return data


def _policy(policies: PolicySet, name: str) -> Policy:
    policy = policies.get(name)
    if policy is None:
        known = ", ".join(policy.name for policy in policies.policies)
        raise EvaluateError(f"no policy has the name {name!r}; there are: {known}")
    return policy


def _obeyed(url: str) -> str:
    """Hash of the policies that the guard at this address obeys now."""
    return str(_get(f"{_base(url)}/readyz", None).get("policy_set"))


def _first_model(url: str, key: str | None) -> str:
    listed = _get(f"{_base(url)}/v1/models", key)
    try:
        return str(listed["data"][0]["id"])
    except (LookupError, TypeError) as error:
        raise EvaluateError(f"{url} lists no model") from error


def _get(address: str, key: str | None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        with httpx.Client(timeout=30.0, trust_env=False) as client:
            content = client.get(address, headers=headers).json()
    except (httpx.HTTPError, ValueError) as error:
        raise EvaluateError(f"{address}: {error}") from error
    if not isinstance(content, dict):
        raise EvaluateError(f"{address}: not a guard")
    return content


def _base(url: str) -> str:
    return url.rstrip("/").removesuffix("/v1")
