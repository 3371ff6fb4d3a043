"""Ways of asking for what is to be forgotten: modifiers of any suite."""

from guard.evaluate.attacks.base import Attack, Context, Probe
from guard.evaluate.attacks.disguises import DISGUISES
from guard.evaluate.attacks.text import EMPHASIS, OPENING, PLAIN, TEXT_ATTACKS
from guard.evaluate.attacks.weights import WEIGHT_ATTACKS, WeightAttack

ATTACKS: dict[str, Attack] = {attack.name: attack for attack in (*TEXT_ATTACKS, DISGUISES)}

__all__ = [
    "ATTACKS",
    "DISGUISES",
    "EMPHASIS",
    "OPENING",
    "PLAIN",
    "TEXT_ATTACKS",
    "WEIGHT_ATTACKS",
    "Attack",
    "Context",
    "Probe",
    "WeightAttack",
]
