"""Policies edited while the proxy serves: the next request obeys, a bad edit changes nothing."""

from __future__ import annotations

import threading
from pathlib import Path

import httpx
import pytest

from tests.support.proxy import Proxy, until, write_policy
from tests.support.upstream import Reply, ScriptedUpstream, chat_completion

MESSAGE = "I can't help with that."


def answer(proxy: Proxy, prompt: str) -> str:
    content = proxy.chat(prompt).json()["choices"][0]["message"]["content"]
    assert isinstance(content, str)
    return content


@pytest.fixture
def model(upstream: ScriptedUpstream) -> ScriptedUpstream:
    return upstream.always(Reply.json(chat_completion("Here you are.")))


def swapped(proxy: Proxy, before: str) -> None:
    until(lambda: proxy.worker.state.current().enforcement.hash != before, "policies swapped")


def in_force(proxy: Proxy) -> str:
    return proxy.worker.state.current().enforcement.hash


def test_a_new_name_is_obeyed_by_the_next_request(
    proxy: Proxy, model: ScriptedUpstream, policies: Path
) -> None:
    assert answer(proxy, "Who was Marie Curie?") == "Here you are."
    before = in_force(proxy)
    write_policy(policies, names=["Marie Curie"])
    swapped(proxy, before)
    assert answer(proxy, "Who was Marie Curie?") == MESSAGE
    assert answer(proxy, "Who is Harry Potter?") == "Here you are."


def test_a_policy_file_that_is_added_or_removed_counts_at_once(
    proxy: Proxy, model: ScriptedUpstream, policies: Path
) -> None:
    before = in_force(proxy)
    added = write_policy(policies, "more", names=["Marie Curie"])
    swapped(proxy, before)
    assert answer(proxy, "Marie Curie") == MESSAGE
    assert answer(proxy, "Harry Potter") == MESSAGE
    before = in_force(proxy)
    added.unlink()
    swapped(proxy, before)
    assert answer(proxy, "Marie Curie") == "Here you are."


@pytest.mark.parametrize(
    "broken",
    [
        "version: 1\nname: tests\nforget: {entitys: []}\n",
        "version: 1\nname: tests\nforget: {texts: {file: missing.txt}}\naction: refuse\n",
        "not yaml: [",
        "",
        "version: 1\nname: tests\nforget: {entities: [{name: X Y}]}\naction: reroute\n",
    ],
)
def test_a_bad_edit_keeps_the_last_good_set(
    proxy: Proxy, model: ScriptedUpstream, policies: Path, broken: str
) -> None:
    before = in_force(proxy)
    (policies / "tests.yaml").write_text(broken)
    until(lambda: proxy.worker.state.store.status.rejects > 0, "the edit was rejected")
    assert in_force(proxy) == before
    assert answer(proxy, "Who is Harry Potter?") == MESSAGE
    ready = httpx.get(f"{proxy.url}/readyz").json()
    assert ready["policies_last_error"] is True
    assert "Harry" not in str(ready)
    metrics = httpx.get(f"{proxy.url}/metrics").text
    assert 'guard_policy_reloads_total{result="rejected"}' in metrics


def test_an_emptied_directory_keeps_the_last_good_set(
    proxy: Proxy, model: ScriptedUpstream, policies: Path
) -> None:
    (policies / "tests.yaml").unlink()
    until(lambda: proxy.worker.state.store.status.rejects > 0, "the empty directory was rejected")
    assert answer(proxy, "Who is Harry Potter?") == MESSAGE


def test_requests_during_swaps_are_always_under_one_set_or_the_other(
    proxy: Proxy, model: ScriptedUpstream, policies: Path
) -> None:
    wrong: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            if answer(proxy, "Who is Harry Potter?") != MESSAGE:
                wrong.append("leak")
            if answer(proxy, "Who wrote Hamlet?") != "Here you are.":
                wrong.append("false refusal")

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(3):
        before = in_force(proxy)
        write_policy(policies, names=["Harry Potter", f"Somebody Else{number}"])
        swapped(proxy, before)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
