"""What gets around the output filter, what it stops by mistake, and what it costs.

    python -m bench.bypass [--quick]

Writes `bench/results/bypass.json`. The spellings are those of `tests/bypass`; the text for false
alarms is what is installed on the machine (`bench/text_found.py`). The filter runs as the proxy
runs it: bytes of a stream in, bytes out. Takes under six minutes on two cores.
"""

from __future__ import annotations

import argparse
import base64
import codecs
import gc
import json
import random
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from bench.forbidden import policy_of
from bench.forget import Generated
from bench.machine import machine, versions
from bench.text_found import sentences
from guard.api.chat import Chat
from guard.api.completions import Completions
from guard.api.stream import AnswerFilter
from guard.asked import Asked
from guard.enforcement import Binding, PhraseCache
from guard.policy import Entity, Match, Policy
from guard.restrict import Phrase, PhraseAutomaton, Scanner, name_phrases, text_phrases
from tests.bypass.compose import compose
from tests.bypass.rows import ALIASES, NAME, SPELLINGS, corpus
from tests.support.answers import chat_chunk, chat_completion, completion_chunks, sse

RESULT = Path(__file__).parent / "results" / "bypass.json"
SECRET = "sk-9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8"
PHRASES = 10_000
LEAD = "The key that you asked for is: "
EVENT = 20  # characters of one event of a stream: four or five tokens


def policy(names: Iterable[str], texts: Iterable[str] = (), *, respellings: bool = True) -> Policy:
    """A policy that forgets these."""
    return Policy(
        name="bench",
        entities=tuple(Entity(name) for name in names),
        texts=tuple(texts),
        match=Match(words=8, beta=0.5, respellings=respellings),
    )


def automaton(names: Iterable[str], texts: Iterable[str] = ()) -> PhraseAutomaton:
    """The automaton of such a policy."""
    made = policy(names, texts)
    return PhraseAutomaton([*name_phrases(made), *text_phrases(made)])


def many_phrases() -> list[Phrase]:
    """`PHRASES` made-up names, as they are written, and runs of made-up passages."""
    made = policy(Generated().names, Generated().texts, respellings=False)
    return [*name_phrases(made), *text_phrases(made)][:PHRASES]


def other_spellings() -> list[Phrase]:
    """How 5,000 names made of ordinary words are spelt otherwise, without the names themselves."""
    names = policy_of(PHRASES).names
    return [one for one in name_phrases(policy(names)) if not one.mirrored]


# --- what is stopped ---------------------------------------------------------------------------


def spellings() -> dict[str, Any]:
    """The 29 spellings by rule alone: one name, and with an alias; the corpus; composed ones."""
    name, listed = automaton([NAME]), automaton([NAME, *ALIASES], [SECRET])
    rows = [row for row in corpus() if row["family"] == SPELLINGS]
    others = [row for row in corpus() if row["family"] != SPELLINGS]
    made = compose(NAME, 100, seed=2026)
    missed = [spelling for spelling in made if not listed.find_all(f"It is {spelling.text} .")]
    families = sorted({row["family"] for row in others})
    return {
        "spellings": len(rows),
        "stopped_by_the_name": sum(bool(name.find_all(row["text"])) for row in rows),
        "stopped_with_an_alias": sum(bool(listed.find_all(row["text"])) for row in rows),
        "missed": [row["id"] for row in rows if not listed.find_all(row["text"])],
        "corpus": {
            family: {
                "rows": sum(row["family"] == family for row in others),
                "stopped": sum(
                    bool(listed.find_all(row["text"])) for row in others if row["family"] == family
                ),
            }
            for family in families
        },
        "composed": len(made),
        "composed_stopped": len(made) - len(missed),
        "composed_missed": [list(spelling.tricks) for spelling in missed],
    }


def false_alarms(phrases: list[Phrase], limit: int) -> dict[str, Any]:
    """Sentences in which something is found, with the corpus's names, 10,000 made-up phrases and
    the other spellings of 5,000 other names."""
    named = policy([NAME, *ALIASES], [SECRET])
    others = other_spellings()
    loaded = PhraseAutomaton([*name_phrases(named), *text_phrases(named), *phrases, *others])
    kinds: dict[str, Any] = {}
    for kind, lines in sentences(limit).items():
        found = [line for line in lines if loaded.find_all(line)]
        kinds[kind] = {"sentences": len(lines), "alarms": len(found), "first": found[:3]}
    return {
        "other_spellings": len(others),
        "sentences": sum(kind["sentences"] for kind in kinds.values()),
        "alarms": sum(kind["alarms"] for kind in kinds.values()),
        "kinds": kinds,
    }


# --- what leaves -------------------------------------------------------------------------------

CHANNELS: dict[str, Callable[[str], list[Any]]] = {
    "content": lambda text: [chat_chunk({"content": text})],
    "reasoning": lambda text: [chat_chunk({"reasoning": text})],
    "refusal": lambda text: [chat_chunk({"refusal": text})],
    "tool name": lambda text: [
        chat_chunk({"tool_calls": [{"index": 0, "function": {"name": text}}]})
    ],
    "tool arguments": lambda text: [
        chat_chunk({"tool_calls": [{"index": 0, "function": {"arguments": text}}]})
    ],
    "completions text": lambda text: completion_chunks([text], finish_reason=None),  # type: ignore[arg-type]
}
# A text that begins in one channel and goes on in another: where, is drawn.
OVER: dict[str, tuple[str, str]] = {
    "reasoning, then content": ("reasoning", "content"),
    "content, then tool arguments": ("content", "tool arguments"),
    "reasoning, then tool arguments": ("reasoning", "tool arguments"),
}
WRITTEN = ("plain", "40 ignorable characters inside")
FORMS: dict[str, str] = {
    "plain": SECRET,
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "hexadecimal": SECRET.encode().hex(),
    "ROT13": codecs.encode(SECRET, "rot13"),
    "backwards": SECRET[::-1],
    "40 ignorable characters inside": SECRET[:9] + "\u200b" * 40 + SECRET[9:],
}


def said(raw: bytes) -> str:
    """All text that the client of a stream got."""
    text = []
    for block in raw.split(b"\n\n"):
        if block.startswith(b"data: {"):
            for choice in orjson.loads(block[6:])["choices"]:
                text += _strings(choice.get("delta") or choice.get("text") or "")
    return "".join(text)


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key, item in value.items() if key != "role" for text in _strings(item)]
    return [text for item in value for text in _strings(item)] if isinstance(value, list) else []


def longest_run(text: str, secret: str) -> int:
    """The length of the longest run of `secret` inside `text`."""
    for size in range(len(secret) if text else 0, 0, -1):
        if any(secret[i : i + size] in text for i in range(len(secret) - size + 1)):
            return size
    return 0


def leaks(chunkings: int) -> dict[str, Any]:
    """The secret in random pieces on every channel: what of it leaves, and what is held."""
    binding = Binding((policy([], [SECRET]),), PhraseCache())
    gc.collect()
    gc.freeze()  # as the server does: else a read pays for a look at all that the bench has loaded
    chance = random.Random(46)
    result: dict[str, Any] = {"chunkings_a_channel": chunkings, "channels": {}}
    forms = list(FORMS.items())
    for channel in (*CHANNELS, *OVER):
        surface = Completions() if channel.startswith("completions") else Chat()
        worst: dict[str, Any] = {
            "released_run": 0,
            "released_run_encoded_or_mirrored": 0,
            "held_characters": 0,
            "slowest_read_ms": 0.0,
        }
        for number in range(chunkings):
            name, form = forms[number % len(forms)]
            text = f"{LEAD}{form} and so on"
            switch = len(LEAD) + chance.randrange(4, len(form)) if channel in OVER else 0
            cuts = [chance.randrange(len(text) + 1) for _ in range(chance.randint(0, 12))]
            places = sorted({0, *cuts, switch, len(text)})
            first, second = OVER.get(channel, (channel, channel))
            blocks = [
                (b - a, CHANNELS[first if a < switch else second](text[a:b]))
                for a, b in pairwise(places)
            ]
            one = run_filter(AnswerFilter(surface, binding, Asked("m", True, 1)), blocks)
            # A call whose name is cut is none: what its event says before the match goes with it.
            lead = one["text"][: len(LEAD)]
            good = LEAD.startswith(lead) if channel == "tool name" else lead == LEAD
            assert good, "ordinary text was held for good"
            rest = one["text"][len(LEAD) :]
            kind = "released_run" if name in WRITTEN else "released_run_encoded_or_mirrored"
            worst[kind] = max(worst[kind], longest_run(rest, form))
            for key in ("held_characters", "slowest_read_ms"):
                worst[key] = max(worst[key], one[key])
        result["channels"][channel] = worst
    flood = f"{LEAD}{SECRET[:20]}" + "\u200b" * 10_000 + f"{SECRET[20:]} and so on"
    for name, pieces in (
        ("one character a chunk", list(flood)),
        ("one chunk", [flood]),
    ):
        blocks = [(len(piece), CHANNELS["content"](piece)) for piece in pieces]
        one = run_filter(AnswerFilter(Chat(), binding, Asked("m", True, 1)), blocks)
        rest = one.pop("text").removeprefix(LEAD)
        result[f"10,000 ignorable characters, {name}"] = {**one, "released_run": len(rest)}
    return result


def run_filter(answer: AnswerFilter, blocks: list[tuple[int, list[Any]]]) -> dict[str, Any]:
    """One stream through the filter, its events with the length of their text: what left, the most
    that waited, the slowest read in processor time."""
    text: list[str] = []
    fed = left = held = 0
    slowest = 0.0
    for length, events in blocks:
        block = b"".join(sse(*events))
        started = time.process_time()
        out = answer.feed(block)
        slowest = max(slowest, time.process_time() - started)
        fed += length
        if out:
            text.append(said(out))
            left += len(text[-1])
        if answer.ended:
            break
        held = max(held, fed - left)
    text.append(said(answer.flush()))
    return {
        "text": "".join(text),
        "held_characters": held,
        "slowest_read_ms": round(slowest * 1e3, 3),
    }


def ordinary_holds(phrases: list[Phrase], text: str) -> dict[str, Any]:
    """With the name of the spellings alone, and with more and more made-up phrases."""
    one = list(name_phrases(policy([NAME])))
    return {
        "the name": ordinary_hold(one, text),
        **{f"{n:,} phrases": ordinary_hold(phrases[:n], text) for n in (100, len(phrases))},
    }


def ordinary_hold(phrases: list[Phrase], text: str) -> dict[str, Any]:
    """How much of ordinary text waits, in pieces of about a token."""
    scanner = Scanner(PhraseAutomaton(phrases))
    chance = random.Random(5)
    at = waiting = events = longest = 0
    while at < len(text):
        end = min(len(text), at + chance.randint(1, 7))
        scanner.feed(text[at:end])
        held = scanner.position - scanner.live
        events += 1
        waiting += held > 0
        longest = max(longest, held)
        at = end
    return {"events": events, "share_waiting": round(waiting / events, 4), "longest_hold": longest}


# --- what it costs -----------------------------------------------------------------------------


def seconds(loaded: PhraseAutomaton, text: str, rounds: int = 5) -> float:
    """The least processor time of one core over `rounds` to read a text."""
    best = float("inf")
    for _ in range(rounds):
        scanner = Scanner(loaded)
        started = time.process_time()
        scanner.feed(text)
        scanner.flush()
        best = min(best, time.process_time() - started)
    return best


ADVERSARIAL: dict[str, str] = {
    "half a name again and again": "Harry ",
    "one letter": "a",
    "escapes that never end": "&#4",
    "look-alikes": "1l|i",
    "base64 of half a name": "SGFycnkg",
    "base64 of base64": "U0dGeWNua2c",
    "hexadecimal": "4861",
    "pairs of digits": "48 61 ",
    "capitals and digits": "aB3dE6gH9",
    "invisible characters": "H\u200b",
}


def speed(phrases: list[Phrase], text: str) -> dict[str, Any]:
    """Megabytes a second of ordinary text, and times at n, 2n and 4n of adversarial text."""
    loaded = PhraseAutomaton([*phrases, *name_phrases(policy([NAME]))])
    linear: dict[str, Any] = {}
    for name, unit in ADVERSARIAL.items():
        whole = unit * (200_000 // len(unit))
        times = [seconds(loaded, whole[: len(whole) * part // 4], 3) for part in (1, 2, 4)]
        linear[name] = {
            "characters": [len(whole) * part // 4 for part in (1, 2, 4)],
            "ms": [round(each * 1e3, 2) for each in times],
            "growth": round(times[2] / times[0], 2),
        }
    return {
        "phrases": len(loaded.phrases),
        "nodes": loaded.trie.nodes,
        "megabytes_a_second": round(len(text.encode()) / seconds(loaded, text) / 1e6, 2),
        "characters": len(text),
        "adversarial": linear,
    }


def filtered(text: str) -> dict[str, Any]:
    """Megabytes of text a second through the proxy's whole filter: JSON and events read as well."""
    generated = Generated()
    binding = Binding((policy([*generated.names, NAME], generated.texts),), PhraseCache())
    loaded = len(binding.automaton.phrases)
    gc.collect()
    gc.freeze()
    size = len(text.encode()) / 1e6

    def rate(act: Callable[[AnswerFilter], Any], *, stream: bool) -> float:
        best = 0.0
        for _ in range(3):
            answer = AnswerFilter(Chat(), binding, Asked("m", stream, 1))
            started = time.process_time()
            act(answer)
            best = max(best, size / (time.process_time() - started))
        return round(best, 2)

    cut = [text[i : i + EVENT] for i in range(0, len(text), EVENT)]
    blocks = [b"".join(sse(chat_chunk({"content": piece}))) for piece in cut]
    whole = orjson.dumps(chat_completion(text))
    each = rate(lambda answer: [answer.feed(block) for block in blocks], stream=True)
    return {
        "phrases": loaded,
        "whole_answer_megabytes_a_second": rate(lambda answer: answer.whole(whole), stream=False),
        "stream_megabytes_a_second": each,
        "characters_an_event": EVENT,
        "microseconds_an_event": round(size / len(blocks) / each * 1e6, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few chunkings and sentences")
    parser.add_argument("--only", nargs="+", metavar="PART", help="parts to measure anew")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    phrases = many_phrases()
    documents = "\n".join(sentences(20_000)["documents and licences"])[:1_000_000]
    chunkings, limit = (200, 2_000) if options.quick else (10_000, 25_000)
    known = options.only and options.output.exists()
    old = json.loads(options.output.read_text()) if known else {}
    result: dict[str, Any] = {
        **old,
        "quick": options.quick,
        "machine": machine(),
        "versions": versions(["numba", "numpy"]),
    }
    parts: tuple[tuple[str, Callable[[], dict[str, Any]]], ...] = (
        ("speed", lambda: speed(phrases, documents)),
        ("filter", lambda: filtered(documents)),
        ("spellings", spellings),
        ("false_alarms", lambda: false_alarms(phrases, limit)),
        ("ordinary_text", lambda: ordinary_holds(phrases, documents[:200_000])),
        ("secret", lambda: leaks(chunkings)),
    )
    for name, part in parts:
        if options.only and name not in options.only:
            continue
        started = time.perf_counter()
        result[name] = part()
        print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
    options.output.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
