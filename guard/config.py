"""The server's settings: defaults, a YAML file, and the command line over it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Section(BaseModel):
    """A block of settings: unknown keys are errors, values are never converted silently."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=False)]


class ApiKey(Section):
    """One client key. Only its SHA-256 is kept: `printf %s KEY | sha256sum`."""

    name: str = Field(min_length=1, description="name that policies bind to and the audit shows")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the key, in hexadecimal")
    operator: bool = Field(
        default=False, description="may also use the operator endpoints (check, metrics)"
    )
    requests_per_minute: int | None = Field(
        default=None, ge=1, description="rate limit of this key; none when left out"
    )
    max_in_flight: int | None = Field(
        default=None, ge=1, description="requests of this key served at once; more is a 429"
    )


class UpstreamSettings(Section):
    """The model server."""

    url: str = Field(
        default="http://127.0.0.1:8000", pattern="^https?://", description="its base address"
    )
    api_key: str | None = Field(
        default=None, description="key sent upstream; GUARD_UPSTREAM_API_KEY is the better place"
    )
    connect_timeout: Seconds = Field(default=5.0, description="seconds to connect")
    first_byte_timeout: Seconds = Field(
        default=600.0, description="seconds until an answer begins (a whole answer comes at once)"
    )
    between_timeout: Seconds = Field(
        default=120.0, description="longest silence inside an answer, in seconds"
    )
    max_answer_bytes: int = Field(
        default=64 * 1024 * 1024, ge=1024, description="a larger answer is refused"
    )

    @field_validator("url")
    @classmethod
    def _base(cls, url: str) -> str:
        """Clients are used to giving the address with /v1; paths are added to the base."""
        return url.rstrip("/").removesuffix("/v1").rstrip("/")

    overlap: Literal["auto", "off"] = Field(
        default="auto",
        description="auto: call the model while the prompt is judged; off: judge first",
    )


class EngineSettings(Section):
    """The plugin inside the model server (see docs/engine.md)."""

    shelf: Path | None = Field(
        default=None,
        strict=False,
        description="directory shared with the engines' plugin (their GUARD_SHELF); without it the "
        "proxy forgets alone",
    )


class GuardModelSettings(Section):
    """The model that writes instructions for `action: reason`."""

    url: str | None = Field(
        default=None,
        pattern="^https?://",
        description="base address of an OpenAI-compatible server; the model server itself when "
        "left out",
    )
    api_key: str | None = Field(
        default=None, description="key sent to it; GUARD_MODEL_API_KEY is the better place"
    )
    model: str | None = Field(
        default=None,
        description="model, or adapter, to ask there; the one that the client asked for when left "
        "out",
    )
    timeout: Seconds = Field(
        default=10.0,
        description="seconds until an instruction must be there, waiting included; then the "
        "template takes its place",
    )
    max_tokens: int = Field(default=200, ge=16, description="most tokens of an instruction")
    max_calls: int = Field(default=16, ge=1, description="calls to it at once, a worker")
    cache_size: int = Field(
        default=1024, ge=0, description="instructions kept, by a hash of what was asked"
    )

    @field_validator("url")
    @classmethod
    def _base(cls, url: str | None) -> str | None:
        return url and url.rstrip("/").removesuffix("/v1").rstrip("/")


class RerouteSettings(Section):
    """The model that has forgotten, for policies with `action: reroute` (see docs/distil.md)."""

    model: str | None = Field(
        default=None,
        min_length=1,
        description="the adapter (vLLM's `--lora-modules` name) or model that answers flagged "
        "requests; the name that the client asked for when left out",
    )
    url: str | None = Field(
        default=None,
        pattern="^https?://",
        description="its server's base address, when it is not the model server",
    )
    api_key: str | None = Field(
        default=None,
        description="key sent to that server; GUARD_REROUTE_API_KEY is the better place",
    )

    @field_validator("url")
    @classmethod
    def _base(cls, url: str | None) -> str | None:
        return url and url.rstrip("/").removesuffix("/v1").rstrip("/")


class HiddenStateSettings(Section):
    """Detection by the served model's own hidden states, as GUARD has it."""

    model: Path | None = Field(
        default=None,
        strict=False,
        description="the served model in the transformers layout; runs once more, on the "
        "processor, for every prompt",
    )
    heads: Path | None = Field(
        default=None, strict=False, description="what `guard detector hidden` wrote for it"
    )

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.model is None) != (self.heads is None):
            raise ValueError("give both model and heads, or neither")
        return self


class DetectSettings(Section):
    """The prompt detectors."""

    timeout: Seconds = Field(default=10.0, description="seconds until a verdict must be there")
    max_queue: int = Field(
        default=2048, ge=1, description="texts that may wait for the encoder; more is a 503"
    )
    cache_size: int = Field(
        default=20_000, ge=0, description="embeddings kept by text hash, about 1.5 KB each"
    )
    first_stage: bool = Field(
        default=False,
        description="clear most benign prompts by static embeddings, without the encoder",
    )
    verdict_cache_size: int = Field(
        default=20_000,
        ge=0,
        description="requests whose signals are kept by a hash of their texts, under 1 KB each; 0 "
        "for none",
    )
    max_tokens: int = Field(
        default=131_072, ge=64, description="tokens of one request that are encoded; more is a 413"
    )
    encoder: Path | None = Field(
        default=None,
        strict=False,
        description="a sentence-transformers folder in place of the encoder that ships; it needs a "
        "`head` of its own (see docs/how-it-works.md)",
    )
    head: Path | None = Field(
        default=None,
        strict=False,
        description="a head of `guard detector train` in place of the one that ships",
    )
    hidden_states: HiddenStateSettings = HiddenStateSettings()


class LimitSettings(Section):
    """What one server takes on."""

    max_body_bytes: int = Field(
        default=8 * 1024 * 1024, ge=1024, description="a larger request is refused with 413"
    )
    max_in_flight: int = Field(
        default=1024, ge=1, description="requests served at once, over all workers; more is a 429"
    )
    body_timeout: Seconds = Field(
        default=60.0, description="seconds until a request's body is there; later is a 408"
    )


class Settings(Section):
    """Everything `guard serve --config FILE` may say."""

    upstream: UpstreamSettings = UpstreamSettings()
    engine: EngineSettings = EngineSettings()
    guard_model: GuardModelSettings = GuardModelSettings()
    reroute: RerouteSettings = RerouteSettings()
    detect: DetectSettings = DetectSettings()
    limits: LimitSettings = LimitSettings()
    keys: tuple[ApiKey, ...] = Field(
        default=(),
        strict=False,
        description="client keys; without any, everybody may use the endpoint",
    )
    audit: Path | None = Field(
        default=None, strict=False, description="append-only audit log, JSON Lines"
    )
