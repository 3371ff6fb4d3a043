"""The field contract: each class behaves as its table says, and the tables keep up with vLLM."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from anthropic.types import message_create_params
from openai.types import completion_create_params, embedding_create_params
from openai.types.chat import completion_create_params as chat_create_params
from openai.types.responses import response_create_params

from guard.api.answer_fields import AnswerField, AnswerTable, Fate, Level, answer_tables
from guard.api.app import ENDPOINTS
from guard.api.contract import Class, Contract, Field, contract_reference, contracts
from guard.errors import RequestError
from tests.api import vllm_models

PAGE = (Path(__file__).parents[2] / "docs" / "field-contract.md").read_text("utf-8")
FIELDS = [
    pytest.param(contract, field, id=f"{endpoint}-{field.name}")
    for endpoint, contract in contracts().items()
    for field in contract.fields.values()
]
# Values of every JSON type, some of which an `allow` list names.
VALUES: tuple[Any, ...] = (True, False, 0, 1, 0.0, "", "text", "1", [], ["text"], {}, {"1": 1})
# Fields of ours that neither vLLM nor the official client knows, and why they are there: none.
EXTRA: Mapping[str, dict[str, str]] = {name: {} for name in contracts()}
# What the official client knows and vLLM ignores: refused as unknown, since nobody would act on it.
UNSERVED: Mapping[str, set[str]] = {
    "chat": {"moderation", "prompt_cache_options", "prompt_cache_retention"},
    "completions": set(),
    "responses": {
        "access_programs", "background_options", "context_management", "image", "moderation",
        "prompt_cache_options", "prompt_cache_retention",
    },
    "messages": {"diagnostics", "user_profile_id", "workspace_id"},
    "embeddings": set(),
}  # fmt: skip
CLIENT: Mapping[str, Any] = {
    "chat": chat_create_params.CompletionCreateParamsStreaming,
    "completions": completion_create_params.CompletionCreateParamsStreaming,
    "responses": response_create_params.ResponseCreateParamsStreaming,
    "messages": message_create_params.MessageCreateParamsStreaming,
    "embeddings": embedding_create_params.EmbeddingCreateParams,
}
PATHS = {kind.name: kind.path for kind in ENDPOINTS}


def allowed(field: Field, value: Any) -> bool:
    """Whether `allow` names this very JSON value; in Python False == 0 == 0.0."""
    return any(repr(value) == repr(each) for each in field.allow)


def refusal(contract: Contract, name: str, value: Any, *, enforced: bool) -> str | None:
    """The code of the refusal of one field, None when it is served."""
    try:
        contract.check({name: value}, enforced=enforced)
    except RequestError as error:
        assert error.param == name
        assert error.status == 400
        return error.code
    return None


def of_vllm(endpoint: str) -> set[str]:
    """The fields of the installed vLLM's request model; skips where there is no vLLM."""
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is not installed, so there are no models to compare with")
    fields = {}
    for model in vllm_models.requests(endpoint):
        fields |= model.model_fields
    return {name for key, field in fields.items() for name in (key, field.alias) if name}


@pytest.mark.parametrize(("contract", "field"), FIELDS)
def test_a_field_is_treated_as_its_class_says(contract: Contract, field: Field) -> None:
    for value in VALUES:
        for enforced in (True, False):
            wanted = {
                "guarded": None,
                "passed": None,
                "constrained": (
                    "field_constrained" if enforced and not allowed(field, value) else None
                ),
                "refused": "field_refused",
            }[field.kind]
            found = refusal(contract, field.name, value, enforced=enforced)
            assert found == wanted, (value, enforced)


@pytest.mark.parametrize(("contract", "field"), FIELDS)
def test_a_null_counts_as_left_out(contract: Contract, field: Field) -> None:
    assert refusal(contract, field.name, None, enforced=True) is None


@pytest.mark.parametrize(("contract", "field"), FIELDS)
def test_the_values_that_are_allowed_are_served(contract: Contract, field: Field) -> None:
    for value in field.allow:
        assert refusal(contract, field.name, value, enforced=True) is None


@pytest.mark.parametrize("endpoint", contracts())
@pytest.mark.parametrize("name", ["kv_transfer", "Messages", "", "x" * 64])
@pytest.mark.parametrize("enforced", [True, False])
def test_an_unknown_field_is_refused_by_name(endpoint: str, name: str, enforced: bool) -> None:
    assert refusal(contracts()[endpoint], name, None, enforced=enforced) == "unknown_field"


def test_a_long_unknown_name_is_not_repeated_at_length() -> None:
    with pytest.raises(RequestError) as caught:
        contracts()["chat"].check({"x" * 10_000: 1}, enforced=False)
    assert len(caught.value.message) < 200


def test_a_refusal_does_not_repeat_the_value() -> None:
    with pytest.raises(RequestError) as caught:
        contracts()["chat"].check({"chat_template": "Harry Potter"}, enforced=True)
    assert "Harry" not in caught.value.message


def test_every_class_is_used_and_every_field_has_a_reason() -> None:
    fields = [field for contract in contracts().values() for field in contract.fields.values()]
    assert {field.kind for field in fields} == set(get_args(Class))
    assert all(field.reason for field in fields)


def test_the_page_is_made_from_the_tables() -> None:
    assert contract_reference() in PAGE, "run scripts/docs"


@pytest.mark.parametrize(
    ("row", "endpoint"),
    [
        ("| `logit_bias` | under an enforced policy only `{}` |", "chat"),
        ("| `vllm_xargs` | refused, always |", "chat"),
        ("| `logprobs` | refused under an enforced policy |", "completions"),
        ("| `prompt` | read by the detectors, then passed on |", "completions"),
        ("| `store` | under an enforced policy only `false` |", "responses"),
        ("| `previous_response_id` | refused under an enforced policy |", "responses"),
    ],
)
def test_the_page_says_what_becomes_of_a_field(row: str, endpoint: str) -> None:
    section = PAGE.partition(f"\n### `{PATHS[endpoint]}`\n")[2].partition("\n### ")[0]
    assert f"\n{row} " in section


@pytest.mark.parametrize("endpoint", contracts())
def test_every_field_of_the_installed_vllm_is_in_the_table(endpoint: str) -> None:
    assert of_vllm(endpoint) - contracts()[endpoint].fields.keys() == set()


@pytest.mark.parametrize("endpoint", contracts())
def test_every_field_of_the_official_client_is_in_the_table(endpoint: str) -> None:
    client = set(get_type_hints(CLIENT[endpoint]))
    assert client - contracts()[endpoint].fields.keys() == UNSERVED[endpoint]


@pytest.mark.parametrize("endpoint", contracts())
def test_no_field_of_ours_is_one_that_nobody_knows(endpoint: str) -> None:
    known = of_vllm(endpoint) | set(get_type_hints(CLIENT[endpoint]))
    assert contracts()[endpoint].fields.keys() - known == EXTRA[endpoint].keys()


# --- answers -----------------------------------------------------------------------------------

TABLES = pytest.mark.parametrize("endpoint", answer_tables())


@TABLES
@pytest.mark.parametrize("level", ["answer", "event", "inside"])
def test_every_field_of_an_answer_of_the_installed_vllm_is_in_the_table(
    endpoint: str, level: Level
) -> None:
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is not installed, so there are no models to compare with")
    known = answer_tables()[endpoint].levels.get(level, {})
    assert vllm_models.answer_fields(endpoint)[level] - known.keys() == set()


def test_every_endpoint_has_a_table_and_every_field_a_reason() -> None:
    tables = answer_tables()
    assert tables.keys() - {"models"} == contracts().keys() == PATHS.keys()
    fields = [
        f for table in tables.values() for level in table.levels.values() for f in level.values()
    ]
    assert {field.fate for field in fields} == set(get_args(Fate))
    assert all(field.reason for field in fields)


@TABLES
def test_what_a_table_does_not_name_is_taken_out_and_what_it_strips_is_emptied(
    endpoint: str,
) -> None:
    table = answer_tables()[endpoint]
    for level, fates in (("answer", table.answer), ("event", table.event)):
        for name, fate in {**fates, "never heard of": None}.items():
            found: list[Any] = []
            clean = table.read({name: "Harry Potter"}, fates, (), found)
            served = table.stripped({name: "Harry Potter"}, fates)
            if fate in ("stripped", "passed", None):
                assert (clean, found) == (False, []), (level, name)
                assert served == ({} if fate is None else {name: None})
            else:
                assert clean
                assert served == {name: "Harry Potter"}
                assert bool(found) == (fate != "label"), (level, name)


@pytest.mark.parametrize(
    ("fate", "value", "served"),
    [
        ("passed", "chatcmpl-8f1c/2.d:3", True),
        ("passed", {"prompt_tokens": 3, "details": {"cached_tokens": None}}, True),
        ("passed", [0.25, 1], True),
        ("passed", ["stop", {"kind": 1}], True),
        ("passed", "Harry Potter", False),
        ("passed", "Гарри", False),
        ("passed", {"note": "Harry Potter"}, False),
        ("passed", {"Harry Potter": 1}, False),
        ("passed", [0.25, "Harry Potter"], False),
        ("label", "Harry Potter", True),
        ("label", ["Harry Potter"], False),
        ("label", {"m": "Harry Potter"}, False),
    ],
)
def test_where_words_and_numbers_belong_nothing_else_is_served(
    fate: Fate, value: Any, served: bool
) -> None:
    rows = {"field": AnswerField("field", fate, "why")}
    table = AnswerTable("chat", {"answer": rows, "inside": rows})
    found: list[Any] = []
    assert table.read({"field": value}, table.answer, (), found) is served
    assert found == []
    empty = [] if isinstance(value, list) else None
    assert table.stripped({"field": value}, table.answer) == {"field": value if served else empty}


@TABLES
@pytest.mark.parametrize("empty", [None, [], {}, "", 0, False])
def test_what_holds_nothing_is_served_whatever_its_name(endpoint: str, empty: Any) -> None:
    table = answer_tables()[endpoint]
    answer = {"never heard of": empty, **dict.fromkeys(table.answer, empty)}
    assert table.read(answer, table.answer, (), [])
    assert table.stripped(answer, table.answer) == answer
