"""The sentences of a conversation that may be about somebody, with the name taken out.

What is asked is compared without whom it is asked about: a name pulls an embedding towards every
other sentence with that name, and "her" or "his" towards women or men.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from classifiers.clauses import pieces
from classifiers.words import bits, folded

NAME_PART_BITS = 15.0  # from which a part of a name stands for all of it
SHORT = 5  # words of a follow-up that refers back without a pronoun: "And the e-mail?"
_NEUTRAL = (
    (re.compile(r"\b(?:she|he)\b", re.IGNORECASE), "they"),
    (re.compile(r"\b(?:hers|his|her)\b", re.IGNORECASE), "their"),
    (re.compile(r"\bhim\b", re.IGNORECASE), "them"),
)
_REFERS = re.compile(
    r"\b(?:they|their|theirs|them|themselves|(?:this|that|the|said|same|whose|such an?)\s+"
    r"(?:\w+\s+)?(?:person|author|writer|novelist|poet|man|woman|individual|artist|one|guy|lady))\b",
    re.IGNORECASE,
)


class Mentions:
    """Reads texts for one subject by its `names`; `stand_in` is put in their place."""

    def __init__(self, names: Sequence[str], stand_in: str) -> None:
        whole = sorted(names, key=len, reverse=True)
        parts = dict.fromkeys(
            part
            for name in names
            for part in re.findall(r"[^\W_]+", name)
            if len(part) > 2 and all(bits(word) >= NAME_PART_BITS for word in folded(part))
        )
        wanted = "|".join(re.escape(name) for name in (*whole, *parts))
        self._named = re.compile(rf"(?<!\w)(?:{wanted})(?!\w)", re.IGNORECASE) if wanted else None
        self._stand_in = stand_in

    def masked(self, text: str) -> str:
        """The text without the names, and with pronouns that tell nobody's sex."""
        if self._named is not None:
            text = self._named.sub(self._stand_in, text)
        for pattern, instead in _NEUTRAL:
            text = pattern.sub(instead, text)
        return text

    def asked(self, texts: Sequence[str]) -> list[str]:
        """What of the texts may be about the subject, masked: whole texts and sentences that name
        it, refer back to somebody or are too short to say whom they mean. All of them where the
        name is nowhere to be read as it is written: it is there in a disguise.
        """
        parts = dict.fromkeys(part for text in texts for part in (text, *pieces(text)))
        names = {part for part in parts if self._named is not None and self._named.search(part)}
        masked = {part: self.masked(part) for part in parts}
        if not names:
            return list(dict.fromkeys(masked.values()))
        return list(
            dict.fromkeys(
                said
                for part, said in masked.items()
                if part in names or _REFERS.search(said) or len(said.split()) <= SHORT
            )
        )
