"""Whether whole weights of `guard distil` on a second server are whole, and made of this base."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from guard.distil.errors import DistilError
from guard.distil.export import CARD, base_hash, read_card
from guard.doctor.finding import Finding
from guard.doctor.patient import Patient
from guard.engine.canary import ask
from guard.errors import UpstreamGarbage

NAME = "weights"

Models = Iterable[Mapping[str, Any]]


async def check(patient: Patient) -> list[Finding]:
    """One finding a model of the second server. A server says nothing of what its weights were
    made from: that stands on the card, in a folder that only its own machine can see.
    """
    if patient.reroute is not None:
        made = _whole(await _listed(patient))
        bases = [Path(str(model.get("root"))) for model in _whole(patient.models)]
        return [await asyncio.to_thread(_weights, model, bases) for model in made]
    # The server may be the second one itself; the card then says where the base was.
    made = [model for model in _whole(patient.models) if (_folder(model) / CARD).is_file()]
    found = [await asyncio.to_thread(_weights, model, None) for model in made]
    return found or [
        Finding(
            NAME, "note", "no second server was named: whole weights are not compared",
            "--reroute URL, where policies say action: reroute and reroute.url is set",
        )
    ]  # fmt: skip


def _weights(model: Mapping[str, Any], bases: list[Path] | None) -> Finding:
    """`bases`: folders of the first server's models; those that the card names when None."""
    name, folder = str(model.get("id")), _folder(model)
    if not folder.is_dir():
        return Finding(
            NAME, "note", f"{name}: not compared: its folder cannot be seen from here, and a "
            "server does not say what its weights were made from",
            "run this on that server's machine",
        )  # fmt: skip
    if not (folder / CARD).is_file():
        return Finding(NAME, "note", f"{name}: not made by guard distil")
    try:
        card = read_card(folder)
        if card["form"] != "weights":
            return Finding(NAME, "problem", f"{name}: its card is of {card['form']}, not weights")
        made_of, policies = str(card["base"]["hash"]), str(card["policy_set"])[:12]
        seen = [base for base in bases or [Path(card["base"]["path"])] if base.is_dir()]
        if not seen:
            return Finding(
                NAME, "note", f"{name}: whole; its base's folder cannot be seen from here, it was "
                f"made of {made_of[:12]}",
            )  # fmt: skip
        if made_of not in [base_hash(base) for base in seen]:
            return Finding(
                NAME, "problem", f"{name}: was made of another base than "
                f"{', '.join(map(str, seen))}",
                "run guard distil on the model that is served",
            )  # fmt: skip
    except (DistilError, KeyError, TypeError) as error:
        return Finding(NAME, "problem", f"{name}: {error}", "run guard distil again")
    return Finding(NAME, "ok", f"{name}: is made of this base; policies {policies}")


async def _listed(patient: Patient) -> Models:
    assert patient.reroute is not None
    listed = await ask(patient.reroute, "/v1/models")
    try:
        return [dict(model) for model in listed["data"]]
    except (KeyError, TypeError, ValueError):
        raise UpstreamGarbage("the second server lists no model") from None


def _whole(models: Models) -> list[Mapping[str, Any]]:
    return [model for model in models if not model.get("parent")]


def _folder(model: Mapping[str, Any]) -> Path:
    return Path(str(model.get("root")))
