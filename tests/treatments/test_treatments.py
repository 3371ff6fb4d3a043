"""Every treatment: who answers a flagged request, and with what."""

from __future__ import annotations

from typing import get_args

import orjson
import pytest

from guard.api.chat import Chat
from guard.api.completions import Completions
from guard.api.surface import Surface
from guard.asked import Asked
from guard.policy import Action, Policy
from guard.treatments import TREATMENTS, Asks, Refuse, Restrict, Said

BODY = b'{"model":"m"}'


def test_every_action_has_its_treatment() -> None:
    assert {action: t.action for action, t in TREATMENTS.items()} == {
        a: a for a in get_args(Action)
    }


@pytest.mark.parametrize("surface", [Chat(), Completions()], ids=lambda s: s.name)
@pytest.mark.parametrize("stream", [False, True])
def test_refuse_answers_itself_with_the_message_of_the_policy(
    surface: Surface, stream: bool
) -> None:
    policy = Policy("p", message="Not that.")
    said = Refuse().treat(surface, Asked("m", stream, 2), BODY, policy)
    assert isinstance(said, Said)
    assert said.body.count(b"Not that.") == 2
    assert said.body.endswith(b"data: [DONE]\n\n") is stream
    if not stream:
        finishes = [c["finish_reason"] for c in orjson.loads(said.body)["choices"]]
        assert finishes == ["content_filter"] * 2


def test_restrict_leaves_the_request_to_the_model() -> None:
    policy = Policy("p", action="restrict")
    assert Restrict().treat(Chat(), Asked("m", False, 1), BODY, policy) == Asks(BODY)
