"""The settings file: every mistake named with file, line, key and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.errors import ConfigError
from guard.settings_file import load_settings

DIGEST = "a" * 64


def settings_file(directory: Path, text: str) -> Path:
    path = directory / "guard.yaml"
    path.write_text(text)
    return path


def test_without_a_file_everything_has_a_default() -> None:
    settings = load_settings(None)
    assert settings.upstream.url == "http://127.0.0.1:8000"
    assert settings.keys == ()
    assert settings.audit is None


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    path = settings_file(
        tmp_path,
        f"""
upstream:
  url: http://vllm:8000
  first_byte_timeout: 30
  overlap: "off"
detect: {{timeout: 2.5, max_queue: 100}}
limits: {{max_body_bytes: 100000, max_in_flight: 10}}
keys:
  - {{name: app, sha256: {DIGEST}}}
  - {{name: ops, sha256: {DIGEST}, operator: true, requests_per_minute: 60}}
audit: /var/log/guard/audit.jsonl
""",
    )
    settings = load_settings(path)
    assert settings.upstream.first_byte_timeout == 30.0
    assert settings.upstream.overlap == "off"
    assert [key.name for key in settings.keys] == ["app", "ops"]
    assert settings.audit == Path("/var/log/guard/audit.jsonl")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("upstrem: {}", 1, "upstrem: unknown key, did you mean upstream?"),
        ("upstream:\n  ulr: http://x", 2, "upstream.ulr: unknown key"),
        ("upstream:\n  url: vllm:8000", 2, "must begin with http:// or https://"),
        ("limits:\n  max_in_flight: 0", 2, "must be greater than or equal to 1"),
        ("limits:\n  max_in_flight: many", 2, "must be a whole number"),
        ("upstream:\n  overlap: maybe", 2, "must be 'auto' or 'off'"),
        ("keys:\n  - {name: a, sha256: abc}", 2, "must be 64 hexadecimal digits"),
        ("keys:\n  - {name: a, key: secret}", 2, "unknown key"),
        ("detect: {timeout: -1}", 1, "must be greater than 0"),
        ("upstream: {}\nupstream: {}", 2, "upstream"),
        ("- a list", 1, "must be a mapping"),
    ],
)
def test_a_mistake_names_its_place(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = settings_file(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        load_settings(path)
    assert f"{path}:{line}: " in str(refused.value)
    assert words in str(refused.value)


def test_the_address_may_be_given_with_v1_in_the_file_too(tmp_path: Path) -> None:
    path = settings_file(tmp_path, "upstream: {url: http://vllm:8000/v1/}")
    assert load_settings(path).upstream.url == "http://vllm:8000"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        load_settings(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://a:1", "http://a:1"),
        ("http://a:1/", "http://a:1"),
        ("http://a:1/v1", "http://a:1"),
        ("https://a/v1/", "https://a"),
    ],
)
def test_the_command_line_wins_over_the_file(tmp_path: Path, given: str, url: str) -> None:
    path = settings_file(tmp_path, "upstream: {url: http://file, connect_timeout: 1}")
    settings = load_settings(path, upstream=given)
    assert settings.upstream.url == url
    assert settings.upstream.connect_timeout == 1.0


def test_an_upstream_that_is_no_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="--upstream"):
        load_settings(None, upstream="localhost:8000")


def test_the_upstreams_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARD_UPSTREAM_API_KEY", "secret")
    assert load_settings(None).upstream.api_key == "secret"


def test_the_guard_models_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARD_MODEL_API_KEY", "secret")
    assert load_settings(None).guard_model.api_key == "secret"


def test_the_guard_models_address_may_be_given_with_v1(tmp_path: Path) -> None:
    path = settings_file(tmp_path, "guard_model: {url: http://small:8000/v1/, timeout: 2}")
    assert load_settings(path).guard_model.url == "http://small:8000"
