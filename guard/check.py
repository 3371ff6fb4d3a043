"""Ask the guard about a prompt or an output, without any upstream.

Serves `POST /v1/guard/check`, `guard check` and `guard policy test`: one row in, one verdict out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from guard.asked import Asked, Turn
from guard.call import InForce
from guard.config import DetectSettings
from guard.detect import BuildNearest, Detector
from guard.enforcement import Binding, Enforcement
from guard.errors import RequestError
from guard.messages import read_messages, wrong_type
from guard.policy import PolicySet, Progress
from guard.restrict import Match, Phrase, PhraseAutomaton
from guard.restrict.phrases import join

ROW_KEYS = frozenset({"id", "prompt", "messages", "output", "model", "key"})
_SUBJECTS = ("prompt", "messages", "output")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One verdict. `clean` is the output without every forbidden span; None for prompts."""

    flagged: bool
    policy: str | None = None
    action: str | None = None
    score: float = 0.0
    signals: Mapping[str, float] = field(default_factory=dict)
    clean: str | None = None

    def as_row(self, row_id: Any) -> dict[str, Any]:
        """The row that `guard check` writes."""
        return {
            "id": row_id,
            "flagged": self.flagged,
            "policy": self.policy,
            "action": self.action,
            "score": self.score,
            "signals": dict(self.signals),
            "clean": self.clean,
        }


async def check_row(in_force: InForce, row: Mapping[str, Any]) -> CheckResult:
    """The verdict on one row. Raises RequestError for a row that is none, and what `Detector.full`
    raises."""
    unknown = row.keys() - ROW_KEYS
    if unknown:
        raise RequestError(
            f"Unknown field: {min(unknown)[:64]!r}; a row has {', '.join(sorted(ROW_KEYS))}.",
            code="unknown_field",
            param=min(unknown)[:64],
        )
    asked_for = [name for name in _SUBJECTS if row.get(name) is not None]
    if len(asked_for) != 1:
        raise RequestError("A row has exactly one of prompt, messages and output.", code="bad_row")
    model, key = row.get("model"), row.get("key")
    if not isinstance(model, str | None) or not isinstance(key, str | None):
        raise wrong_type("model", "a string, and so must 'key'")
    model = model or ""
    binding = in_force.enforcement.binding(key, model)
    if asked_for == ["output"]:
        if not isinstance(row["output"], str):
            raise wrong_type("output", "a string")
        return check_output(binding, row["output"])
    return await check_prompt(in_force.detector, binding, model, row)


async def check_prompt(
    detector: Detector, binding: Binding, model: str, row: Mapping[str, Any]
) -> CheckResult:
    """What the detectors say of a prompt or of messages."""
    if row.get("messages") is not None:
        read = read_messages(row["messages"])
        asked = Asked(model, False, 1, texts=read.texts, spans=read.spans, turns=read.turns)
    elif isinstance(row.get("prompt"), str):
        prompt = row["prompt"]
        asked = Asked(model, False, 1, texts=(prompt,), turns=(Turn("user", prompt),))
    else:
        raise wrong_type("prompt", "a string")
    verdict = await detector.full(binding, asked)
    policy = verdict.policy
    return CheckResult(
        verdict.flagged,
        policy.name if policy else None,
        policy.action if policy else None,
        verdict.score,
        verdict.signals,
    )


def check_output(binding: Binding, text: str) -> CheckResult:
    """What the output filter says of a text, and the text without what is forbidden."""
    matches = binding.automaton.find_all(text)
    if not matches:
        return CheckResult(False, clean=text)
    first = min(matches, key=lambda match: match.start).phrases[0]
    action = next(p.action for p in binding.enforced if p.name == first.policy)
    kinds: dict[str, float] = {phrase.kind: 1.0 for match in matches for phrase in match.phrases}
    return CheckResult(True, first.policy, action, 1.0, kinds, remove(text, matches))


def remove(text: str, matches: Sequence[Match]) -> str:
    """The text without its matches, each to the end of the forbidden run that the text follows."""
    kept: list[str] = []
    position = 0
    for start, end, last in _merged(matches):
        kept.append(text[position:start])
        position = max(end, _run_end(text, last))
    return "".join([*kept, text[position:]])


def _merged(matches: Sequence[Match]) -> list[tuple[int, int, Match]]:
    """Spans of overlapping matches joined, with the match that begins last in each."""
    merged: list[tuple[int, int, Match]] = []
    for match in sorted(matches, key=lambda match: match.start):
        if merged and match.start < merged[-1][1]:
            start, end, _ = merged[-1]
            merged[-1] = (start, max(end, match.end), match)
        else:
            merged.append((match.start, match.end, match))
    return merged


def _run_end(text: str, match: Match) -> int:
    """Where a text stops following the forbidden run: a match ends at its acting point already."""
    end = match.end
    for phrase in match.phrases:
        for count in range(len(phrase.whole), 0, -1):
            symbols = join(phrase.whole[:count])
            if len(symbols) <= len(phrase.symbols):
                break
            head = Phrase(symbols, True, phrase.kind, phrase.policy, phrase.whole)
            found = PhraseAutomaton([head]).find_all(text[match.start :])
            if found and found[0].start == 0:
                end = max(end, match.start + found[0].end)
                break
    return end


class Checker:
    """The same for synchronous callers, on an event loop of its own. A context manager."""

    def __init__(self, policies: PolicySet, build_nearest: BuildNearest) -> None:
        enforcement = Enforcement(policies)
        self._in_force = InForce(enforcement, Detector(enforcement, build_nearest(policies)))
        self._runner = asyncio.Runner()

    @classmethod
    def build(
        cls,
        policies: PolicySet,
        *,
        detect: DetectSettings | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """A checker with the encoder of `detect`, the packaged one without it, loaded only when a
        policy has prompts."""
        from guard.nearest import LocalNearest

        return cls(policies, LocalNearest(detect, progress=progress).build)

    def check(self, row: Mapping[str, Any]) -> CheckResult:
        """As `check_row`."""
        return self._runner.run(check_row(self._in_force, row))

    def check_prompt(self, prompt: str | Sequence[Mapping[str, Any]]) -> CheckResult:
        """What the detectors say of a prompt, or of messages."""
        if isinstance(prompt, str):
            return self.check({"prompt": prompt})
        return self.check({"messages": [dict(message) for message in prompt]})

    def check_output(self, text: str) -> CheckResult:
        """What the output filter says of a text."""
        return self.check({"output": text})

    def close(self) -> None:
        """End the event loop."""
        self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
