"""Every trick of the corpus over every endpoint, whole, streamed in every way, and as a prompt."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.bypass.compose import compose
from tests.bypass.endpoints import ENDPOINTS, MODES, stream, streamed
from tests.bypass.rows import NAME, SPELLINGS, benign, corpus
from tests.support.proxy import Proxy
from tests.support.upstream import Reply, ScriptedUpstream

Served = tuple[Proxy, ScriptedUpstream]
CORPUS, BENIGN = corpus(), benign()
COMPOSED = compose(NAME, 120, seed=11)
OPENING = 3  # characters of base64 in which it says two bytes of what it holds
BEFORE, AFTER = "It says ☕: ", " and so on."
by_id = pytest.mark.parametrize("row", CORPUS, ids=[row["id"] for row in CORPUS])
by_benign_id = pytest.mark.parametrize("row", BENIGN, ids=[row["id"] for row in BENIGN])
each_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=ENDPOINTS)


def test_the_corpus_is_complete() -> None:
    assert len({row["id"] for row in CORPUS + BENIGN}) == len(CORPUS + BENIGN)
    spellings = [row for row in CORPUS if row["family"] == SPELLINGS]
    assert len(spellings) == 29
    assert sum(row["expect"] == "stopped" for row in spellings) >= 27
    assert all(row["source"] and row["text"] and row["target"] for row in CORPUS)


def expect(row: dict[str, Any], text: str, cut: bool) -> None:
    """A stopped answer ends before the disguise; a leading mark may stay, and of an encoding inside
    an encoding what nobody can know for one yet."""
    if row["expect"] == "passes":
        assert text == BEFORE + row["text"] + AFTER
        return
    assert cut
    assert text.startswith(BEFORE)
    left = text.removeprefix(BEFORE)
    assert row["text"].startswith(left)
    twice = OPENING if "twice" in row["id"] else 0
    begins = row["text"].rfind(row["target"].split()[0])  # as it is; -1 in a disguise
    before = begins if begins >= 0 else len(row["text"]) - len(row["target"])
    assert len(left) <= max(twice, before)


def turn(rows: list[dict[str, Any]], mode: str) -> list[dict[str, Any]]:
    """The rows whose turn it is to come in a mode: half of them, and each in two modes."""
    place = list(MODES).index(mode)
    return [row for number, row in enumerate(rows) if (number - place) % len(MODES) < 2]


@each_endpoint
@by_id
def test_a_whole_answer(served: Served, endpoint: Any, row: dict[str, Any]) -> None:
    proxy, upstream = served
    upstream.reply(Reply.json(endpoint.whole(BEFORE + row["text"] + AFTER)))
    answer = proxy.post(endpoint.path, endpoint.ask("Tell me.")).json()
    expect(row, *endpoint.answer(answer))


@each_endpoint
@pytest.mark.parametrize("mode", MODES)
def test_a_stream(served: Served, endpoint: Any, mode: str) -> None:
    for row in turn(CORPUS, mode):
        raw = streamed(*served, endpoint, BEFORE + row["text"] + AFTER, mode)
        expect(row, *endpoint.heard(raw))


# Only names are looked for in prompts; texts are for answers.
NAMES = [row for row in CORPUS if row["target"] == NAME]


@each_endpoint
@pytest.mark.parametrize("row", NAMES, ids=[row["id"] for row in NAMES])
def test_a_prompt(served: Served, endpoint: Any, row: dict[str, Any]) -> None:
    proxy, upstream = served
    if row["expect"] == "passes":
        upstream.reply(Reply.json(endpoint.whole("Fine.")))
    answer = proxy.post(endpoint.path, endpoint.ask(f"Who is {row['text']} ?")).json()
    assert endpoint.answer(answer)[1] == (row["expect"] == "stopped")


@each_endpoint
@by_benign_id
def test_harmless_text_passes_byte_for_byte(
    served: Served, endpoint: Any, row: dict[str, Any]
) -> None:
    proxy, upstream = served
    answer = endpoint.whole(row["text"])
    upstream.reply(Reply.json(answer))
    body = proxy.post(endpoint.path, endpoint.ask(row["text"])).content
    assert body == orjson.dumps(answer)
    mode = list(MODES)[BENIGN.index(row) % len(MODES)]
    assert streamed(*served, endpoint, row["text"], mode) == stream(endpoint, row["text"], mode)


def test_composed_spellings(served: Served) -> None:
    endpoint = ENDPOINTS["chat"]
    stopped = 0
    for spelling in COMPOSED:
        raw = streamed(*served, endpoint, BEFORE + spelling.text + AFTER, "tokens")
        text, cut = endpoint.heard(raw)
        stopped += cut
        assert not cut or text.startswith(BEFORE)
    assert stopped >= 0.9 * len(COMPOSED)


def test_composing_is_repeatable() -> None:
    assert compose(NAME, 120, seed=11) == COMPOSED
    assert len({spelling.text for spelling in COMPOSED}) == 120
