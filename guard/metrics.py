"""Every Prometheus metric of the proxy. docs/operating.md lists them; a test compares."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
_SLOW = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

REQUESTS = Counter(
    "guard_requests_total", "Requests by endpoint and outcome.", ["endpoint", "outcome"]
)
IN_FLIGHT = Gauge(
    "guard_in_flight", "Requests being served.", ["endpoint"], multiprocess_mode="livesum"
)
FLAGGED = Counter(
    "guard_flagged_total",
    "Prompts that fell under a policy, by policy, action, mode and strongest signal.",
    ["policy", "action", "mode", "signal"],
)
FILTERED = Counter(
    "guard_filtered_total",
    "Answers in which forbidden text was found, by policy and mode.",
    ["policy", "mode"],
)
REWINDS = Counter(
    "guard_rewinds_total",
    "Answers taken back to before a match, by policy and result: continued (the model went on in "
    "another way), ended (the answer ended after all).",
    ["policy", "result"],
)
WASTED_TOKENS = Counter(
    "guard_wasted_tokens_total", "Tokens that were generated and thrown away by rewinding."
)
STRIPPED = Counter(
    "guard_stripped_total", "Upstream events with fields that are not served.", ["endpoint"]
)
DEGRADED = Counter(
    "guard_degraded_total", "Requests answered without a full verdict (on_error: open)."
)
CANCELLED = Counter(
    "guard_upstream_cancelled_total",
    "Upstream calls given up, by reason: flagged, cut, client, error.",
    ["reason"],
)
UPSTREAM_ERRORS = Counter("guard_upstream_errors_total", "Upstream failures by code.", ["code"])
VERDICT_SECONDS = Histogram(
    "guard_verdict_seconds", "Time to a verdict by the encoder.", buckets=_FAST
)
MEANING_SECONDS = Histogram(
    "guard_meaning_seconds",
    "Time until sentences of an answer to a flagged prompt were judged.",
    buckets=_FAST,
)
INSTRUCTIONS = Counter(
    "guard_instructions_total",
    "Instructions that flagged requests were answered by, by policy and source: model, cache (the "
    "guard model's, now and before), template, fallback (the guard model gave none to follow).",
    ["policy", "source"],
)
INSTRUCTION_SECONDS = Histogram(
    "guard_instruction_seconds", "Time until a request had its instructions.", buckets=_SLOW
)
FIRST_BYTE_SECONDS = Histogram(
    "guard_upstream_first_byte_seconds", "Time until the upstream's answer began.", buckets=_SLOW
)
HELD_EVENTS = Histogram(
    "guard_held_events",
    "Most stream events held back at once, an answer.",
    buckets=(0, 1, 2, 4, 8, 16, 32, 64, 256, 1024),
)
POLICY_SET = Gauge(
    "guard_policy_set_info",
    "1 for the policy set in force, by its hash.",
    ["hash"],
    multiprocess_mode="livemax",
)
POLICIES = Gauge("guard_policies", "Policies in the set in force.", multiprocess_mode="livemax")
POLICIES_OVERDUE = Gauge(
    "guard_policies_overdue", "Policies past their review_by date.", multiprocess_mode="livemax"
)
RELOADS = Counter(
    "guard_policy_reloads_total", "Policy directory changes by result: swapped, rejected.",
    ["result"],
)  # fmt: skip
AUDIT_RECORDS = Counter("guard_audit_records_total", "Records written to the audit log.")
AUDIT_FAILURES = Counter("guard_audit_failures_total", "Records the audit log refused.")
ENCODER_QUEUE = Gauge(
    "guard_encoder_queue", "Texts waiting for the encoder.", multiprocess_mode="livesum"
)
ENCODER_TEXTS = Gauge(
    "guard_encoder_texts", "Texts encoded since the start.", multiprocess_mode="livesum"
)
ENCODER_CACHE_HITS = Gauge(
    "guard_encoder_cache_hits", "Texts found in the cache.", multiprocess_mode="livesum"
)
ENCODER_BUSY_SECONDS = Gauge(
    "guard_encoder_busy_seconds", "Seconds the encoder has computed.", multiprocess_mode="livesum"
)
DETECTOR_ASKED = Gauge(
    "guard_detector_asked",
    "Requests put to the nearest-prompt detector since the start.",
    multiprocess_mode="livesum",
)
DETECTOR_CLEARED = Gauge(
    "guard_detector_cleared",
    "Of those, cleared by the first stage, without the encoder.",
    multiprocess_mode="livesum",
)
DETECTOR_REPEATED = Gauge(
    "guard_detector_repeated",
    "Of those, answered from the cache of verdicts.",
    multiprocess_mode="livesum",
)
ENGINES = Gauge(
    "guard_engines", "Engines whose plugin reports on the shelf.", multiprocess_mode="livemax"
)
ENGINE_UNHELD = Counter(
    "guard_engine_unheld_total",
    "Requests sent without bans because an engine does not hold the policy set yet.",
)
ENGINES_PROVED = Gauge(
    "guard_engine_proved",
    "Engines that have obeyed the canary set (the least of the workers).",
    multiprocess_mode="livemin",
)
CANARIES = Counter(
    "guard_engine_canaries_total",
    "Canary requests by result: obeyed, ignored (the plugin is off), failed (no answer).",
    ["result"],
)
DEAD_ENDS = Counter(
    "guard_engine_dead_ends_total",
    "Answers that ended because a grammar allowed only what is forbidden.",
)


def set_in_force(hash_: str, previous: str | None, policies: int, overdue: int) -> None:
    """Name the policy set that is now in force."""
    if previous is not None and previous != hash_:
        POLICY_SET.labels(previous).set(0)
    POLICY_SET.labels(hash_).set(1)
    POLICIES.set(policies)
    POLICIES_OVERDUE.set(overdue)
