"""Arms: a model of this process, an endpoint over a real socket, and controls."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import orjson
import pytest

from guard.errors import EvaluateError
from guard.evaluate import provenance
from guard.evaluate.arms import (
    AlwaysRefuse,
    Asked,
    Endpoint,
    Guarded,
    Local,
    OracleRouter,
    PromptOnly,
    Turns,
)
from guard.evaluate.arms.base import Sampling
from guard.evaluate.arms.endpoint import PASSING, REFUSED, TRIES
from guard.evaluate.attacks.weights import quantise, relearn
from guard.evaluate.rows import Suite, ask
from tests.support.answers import chat_completion, error
from tests.support.reply import Reply as Scripted
from tests.support.tiny_llama import BENIGN, NAMING, tiny_llama
from tests.support.upstream import Fault, ScriptedUpstream

QUESTION, ANSWER = next(iter(BENIGN.items()))


def test_a_local_model_says_what_it_learned_in_one_batch_or_several(bare: Local) -> None:
    asked = [Asked(ask(question), Sampling(64)) for question in BENIGN]
    together = [reply.text for reply in bare.answer(asked)]
    assert together == list(BENIGN.values())
    assert [next(iter(bare.answer([one]))).text for one in asked[:3]] == together[:3]


def test_an_opening_is_gone_on_with(bare: Local) -> None:
    (reply,) = bare.answer([Asked(ask(QUESTION), Sampling(64), opening="The lighthouse")])
    assert "The lighthouse" + reply.text == ANSWER
    assert reply.finish_reason == "stop"
    assert reply.completion_tokens > 0


def test_a_short_answer_ends_at_its_length(bare: Local) -> None:
    (reply,) = bare.answer([Asked(ask(QUESTION), Sampling(2))])
    assert (reply.finish_reason, reply.completion_tokens) == ("length", 2)


def test_losses_are_those_of_the_model(bare: Local) -> None:
    import torch

    known, other = bare.losses([(ask(QUESTION), ANSWER), (ask(QUESTION), "Blue barley grows.")])
    assert known.loss < 0.1 < other.loss
    assert known.greedy.all() and not other.greedy.all()
    ids = bare.tokenizer(bare.render(ask(QUESTION)) + ANSWER, return_tensors="pt").input_ids
    labels = ids.clone()
    labels[:, : ids.shape[1] - len(known.log_probs)] = -100
    with torch.inference_mode():
        loss = float(bare.model(input_ids=ids, labels=labels).loss)
    assert known.loss == pytest.approx(loss, rel=1e-4, abs=1e-6)
    assert (known.mean <= 0).all() and np.isfinite(known.deviation).all()


def test_sampled_answers_follow_their_seed(bare: Local) -> None:
    def drawn(seed: int) -> list[str]:
        sampling = Sampling(24, temperature=3.0, seed=seed)
        return [r.text for r in bare.answer([Asked(ask(QUESTION), sampling)] * 2)]

    assert drawn(1) == drawn(1) != drawn(2)


def test_eight_bits_change_little_and_two_destroy(bare: Local) -> None:
    asked = [Asked(ask(question), Sampling(64)) for question in list(BENIGN)[:3]]
    wanted = list(BENIGN.values())[:3]
    for bits, same in ((8, True), (2, False)):
        changed = bare.changed(f"{bits} bits", lambda m, t, b=bits: quantise(m, b))
        assert ([reply.text for reply in changed.answer(asked)] == wanted) is same
        assert changed.identity != bare.identity
    assert next(iter(bare.answer(asked))).text == wanted[0]


def test_relearning_teaches_what_it_is_shown(bare: Local) -> None:
    def taught(model: object, tokenizer: object) -> object:
        return relearn(model, tokenizer, [("Who sank the bell?", "A heron.")], epochs=30, rate=3e-4)

    changed = bare.changed("taught", taught)
    pair = [(ask("Who sank the bell?"), "A heron.")]
    assert changed.losses(pair)[0].loss < 0.5 < bare.losses(pair)[0].loss


def test_a_folder_without_a_model_is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(EvaluateError, match="no model there"):
        Local("none", tmp_path, what="")


def endpoint(upstream: ScriptedUpstream, **fields: object) -> Endpoint:
    options = {"what": "", "revision": "1", "weights": "bare"} | fields
    return Endpoint("served", upstream.url, "m", **options)  # type: ignore[arg-type]


def test_an_endpoint_is_asked_in_order(upstream: ScriptedUpstream) -> None:
    def said(request):  # type: ignore[no-untyped-def]
        return Scripted.json(chat_completion(request.json()["messages"][-1]["content"].upper()))

    upstream.handle(said)
    arm = endpoint(upstream, system="Be brief.")
    replies = list(arm.answer([Asked(ask(f"question {n}"), Sampling(8, 0.0, 5)) for n in range(9)]))
    assert [reply.text for reply in replies] == [f"QUESTION {n}" for n in range(9)]
    assert arm.losses([(ask("a"), "b")]) is None
    body = orjson.loads(upstream.requests[0].body)
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (body["max_tokens"], body["temperature"], body["seed"]) == (8, 0.0, 5)


def test_a_refused_request_is_an_answer_and_a_failing_server_is_not(
    upstream: ScriptedUpstream,
) -> None:
    upstream.reply(Scripted.json(error("no", code=400), status=400))
    arm = endpoint(upstream)
    (reply,) = arm.answer([Asked(ask("a"), opening="The")])
    assert (reply.text, reply.finish_reason) == ("", REFUSED)
    assert upstream.requests[0].json()["continue_final_message"] is True
    upstream.reply(Scripted.json(error("too long", code=400), status=400))
    with pytest.raises(EvaluateError, match="400"):
        list(arm.answer([Asked(ask("a"))]))
    upstream.reply(Scripted.json(error("down", code=500), status=500))
    with pytest.raises(EvaluateError, match="no usable answer"):
        list(arm.answer([Asked(ask("a"))]))


@pytest.mark.parametrize("status", PASSING)
def test_an_overloaded_server_is_asked_again_and_not_for_ever(
    status: int, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("guard.evaluate.arms.endpoint.time.sleep", waits.append)
    arm = endpoint(upstream)
    busy = Scripted.json(error("busy", code=status), status=status)
    upstream.reply(busy, busy, Scripted.json(chat_completion("at last")))
    (reply,) = arm.answer([Asked(ask("a"))])
    assert (reply.text, waits) == ("at last", [1, 2])
    upstream.reply(*[busy] * TRIES)
    with pytest.raises(EvaluateError, match=str(status)):
        list(arm.answer([Asked(ask("b"))]))
    assert len(upstream.requests) == 2 * TRIES


def test_a_connection_that_broke_is_asked_again_on_another(
    upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guard.evaluate.arms.endpoint.time.sleep", lambda _: None)
    arm = endpoint(upstream)
    gone = Scripted(fault=Fault.CLOSE_BEFORE_HEAD)
    upstream.reply(gone, Scripted.json(chat_completion("there")))
    assert [reply.text for reply in arm.answer([Asked(ask("a"))])] == ["there"]
    upstream.reply(*[gone] * TRIES)
    with pytest.raises(EvaluateError, match="no usable answer"):
        list(arm.answer([Asked(ask("b"))]))


def test_controls_know_the_truth_and_only_they(bare: Local, small_suite: Suite) -> None:
    asked = [Asked(row.messages, Sampling(64), goal=row.goal) for row in small_suite.rows]
    refused = [reply.text for reply in AlwaysRefuse(weights="bare").answer(asked)]
    assert len(set(refused)) == 1
    routed = [reply.text for reply in OracleRouter(bare).answer(asked)]
    plain = [reply.text for reply in bare.answer(asked)]
    for row, text, own in zip(small_suite.rows, routed, plain, strict=True):
        assert text == (own if row.goal == "retain" else refused[0])


def test_prompt_only_puts_a_system_prompt_before(bare: Local) -> None:
    arm = PromptOnly(bare, ["Ottoline Varga"])
    assert arm.identity != bare.identity
    found = arm.losses([(ask(QUESTION), ANSWER)])
    assert found is not None and math.isfinite(found[0].loss)
    assert len(list(arm.answer([Asked(ask(question)) for question in NAMING]))) == len(NAMING)


def test_identity_follows_weights_and_settings(upstream: ScriptedUpstream) -> None:
    one, same = (Local(name, tiny_llama(), what="") for name in "ab")
    assert one.identity == same.identity
    assert Local("c", tiny_llama(), what="", system="x").identity != one.identity
    assert endpoint(upstream).identity != endpoint(upstream, revision="2").identity


def test_an_adapter_is_put_on_its_base(bare: Local, tmp_path) -> None:  # type: ignore[no-untyped-def]
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(tiny_llama())
    adapted = get_peft_model(
        base, LoraConfig(r=2, target_modules=["down_proj"], init_lora_weights=False)
    )
    adapted.save_pretrained(tmp_path)
    ids = bare.tokenizer(bare.render(ask(QUESTION)) + ANSWER, return_tensors="pt").input_ids
    with torch.inference_mode():
        wanted = torch.log_softmax(adapted(input_ids=ids).logits[0].double(), -1)
    arm = Local("adapter", tiny_llama(), what="", adapter=tmp_path)
    (found,) = arm.losses([(ask(QUESTION), ANSWER)])
    labels = ids[0, -len(found.log_probs) :]
    rows = wanted[-len(labels) - 1 : -1]
    expected = rows[torch.arange(len(labels)), labels].numpy()
    assert found.log_probs == pytest.approx(expected, abs=1e-3)
    assert arm.identity != bare.identity
    # Merged weights are whoever's who holds them: they can be trained again.
    attacked = arm.changed("relearned", lambda m, t: relearn(m, t, [(QUESTION, "No.")], epochs=1))
    before, after = (next(p for p in one.model.parameters()) for one in (arm, attacked))
    assert not torch.equal(before, after)


def test_answers_of_a_guard_are_not_kept_past_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = {"version": 1, "name": "p", "forget": {"prompts": ["Who?"]}, "action": "refuse"}
    (tmp_path / "p.yaml").write_bytes(orjson.dumps(policy))

    def identity() -> str:
        fields = {"policies": tmp_path, "turns": Turns(), "what": "", "weights": "bare"}
        arm = Guarded("g", "http://127.0.0.1:9", "m", revision="1", **fields)  # type: ignore[arg-type]
        arm.close()
        return arm.identity

    now = identity()
    assert now == identity()
    monkeypatch.setattr("guard.evaluate.arms.guarded.serving_code", lambda: "another state")
    assert identity() != now


def test_the_hash_of_the_code_follows_what_serves_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("guard/flow.py", "guard/evaluate/provenance.py", "classifiers/names.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "guard/evaluate/provenance.py"))
    found = []
    for changed in ("", "guard/evaluate/provenance.py", "guard/flow.py", "classifiers/names.py"):
        if changed:
            (tmp_path / changed).write_text("2")
        found.append(provenance.serving_code.__wrapped__())
    assert found[0] == found[1] and len(set(found)) == 3
