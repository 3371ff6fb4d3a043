"""Whether each adapter of `guard distil` is whole, and for the model that it is served on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guard.distil.errors import DistilError
from guard.distil.export import CARD, base_hash, read_card
from guard.doctor.finding import Finding
from guard.doctor.patient import Patient

NAME = "adapters"


async def check(patient: Patient) -> list[Finding]:
    """One finding an adapter. Folders can be looked into only on the server's own machine."""
    bases = {str(model.get("id")): model for model in patient.models}
    found = []
    for model in patient.models:
        if model.get("parent"):
            base = bases.get(str(model["parent"]), {})
            found.append(await asyncio.to_thread(_adapter, model, base))
    return found or [Finding(NAME, "ok", "no adapter is served")]


def _adapter(adapter: Mapping[str, Any], base: Mapping[str, Any]) -> Finding:
    name = str(adapter.get("id"))
    folder, base_folder = Path(str(adapter.get("root"))), Path(str(base.get("root")))
    if not folder.is_dir():
        return Finding(
            NAME, "note", f"{name}: its folder cannot be seen from here",
            "run this on the model server's machine to compare it with its base",
        )  # fmt: skip
    if not (folder / CARD).exists():
        return Finding(NAME, "note", f"{name}: not made by guard distil")
    try:
        card = read_card(folder)
        if not base_folder.is_dir():
            return Finding(NAME, "note", f"{name}: its base's folder cannot be seen from here")
        if card["base"]["hash"] != base_hash(base_folder):
            return Finding(
                NAME, "problem", f"{name}: was made for another base than {base.get('id')}",
                "serve it with the model that it was made for, or run guard distil on this one",
            )  # fmt: skip
    except (DistilError, KeyError, TypeError) as error:
        return Finding(NAME, "problem", f"{name}: {error}", "run guard distil again")
    return Finding(NAME, "ok", f"{name}: is for this base; policies {card['policy_set'][:12]}")
