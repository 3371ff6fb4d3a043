"""Policies of a realistic size for the benchmark, made up from a seed: nobody real is in them."""

from __future__ import annotations

import random
from pathlib import Path

import yaml
from wordfreq import top_n_list

NAMES = 1_000
TEXTS = 1_000
TEXT_WORDS = 40
PROMPTS = 1_000

_SYLLABLES = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]


class Generated:
    """`NAMES` names, `TEXTS` passages and `PROMPTS` questions, the same for the same seed."""

    def __init__(self, seed: int = 7) -> None:
        chance = random.Random(seed)
        vocabulary = [w for w in top_n_list("en", 8_000) if w.isalpha() and len(w) > 2]

        def name() -> str:
            parts = ("".join(chance.choices(_SYLLABLES, k=chance.randint(2, 4))) for _ in "ab")
            return " ".join(part.title() for part in parts)

        names: dict[str, None] = {}
        while len(names) < NAMES:
            names[name()] = None
        self.names = list(names)
        self.texts = [" ".join(chance.choices(vocabulary, k=TEXT_WORDS)) for _ in range(TEXTS)]
        # No names in them: only the encoder can find these.
        self.prompts = [
            "How did {} {} come to depend on {} {}?".format(*chance.sample(vocabulary, 4))
            for _ in range(PROMPTS)
        ]

    def write(self, folder: Path, *, prompts: bool) -> Path:
        """One policy file in a new `folder`: names and texts, and the prompts if asked for."""
        folder.mkdir(parents=True)
        forget: dict[str, object] = {
            "entities": [{"name": name} for name in self.names],
            "texts": self.texts,
        }
        if prompts:
            forget["prompts"] = self.prompts
        policy = {"version": 1, "name": "bench", "action": "refuse", "forget": forget}
        (folder / "bench.yaml").write_text(yaml.safe_dump(policy, allow_unicode=True))
        return folder
