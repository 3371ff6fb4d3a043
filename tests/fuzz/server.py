"""The running server against its own OpenAPI document, by schemathesis.

    python -m tests.fuzz.server [--examples 200] [--seed 1]

Starts the proxy with a policy and keys in front of a scripted model server, then lets schemathesis
read `/openapi.json` and send what fits the document, what does not, and what nobody foresaw.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.answers import chat_chunks, chat_completion, error, sse, text_completion
from tests.support.policies import PASSAGE, SECRET
from tests.support.proxy import Proxy, write_policy
from tests.support.typed_answers import embeddings, message, response
from tests.support.upstream import RecordedRequest, Reply, ScriptedUpstream

KEY = "sk-fuzz"
# What the document cannot say: whether a value that fits it is served depends on the policies.
LEFT_OUT = ("positive_data_acceptance",)


def _answer(request: RecordedRequest) -> Reply:
    """What a model server would say, streamed where the request asks for it."""
    path = request.path.partition("?")[0]
    if path == "/v1/chat/completions":
        if b'"stream": true' in request.body or b'"stream":true' in request.body:
            return Reply.events(sse(*chat_chunks(["A fine ", "day."]), done=True))
        return Reply.json(chat_completion("A fine day."))
    if path == "/v1/completions":
        return Reply.json(text_completion("A fine day."))
    if path == "/v1/responses":
        return Reply.json(response([("text", "A fine day.")]))
    if path == "/v1/messages":
        return Reply.json(message([("text", "A fine day.")]))
    if path == "/v1/embeddings":
        return Reply.json(embeddings([0.5, -0.25]))
    if path == "/v1/models":
        return Reply.json({"object": "list", "data": [{"id": "m", "object": "model"}]})
    return Reply.json(error("no such model", type="NotFoundError", code=404), status=404)


@contextmanager
def fuzzed_proxy(folder: Path) -> Iterator[Proxy]:
    """The proxy with names, texts and a key, in front of that model server."""
    write_policy(folder, names=["Harry Potter"], texts=[PASSAGE, SECRET])
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    keys = [{"name": "fuzz", "sha256": digest, "operator": True}]
    with (
        ScriptedUpstream().handle(_answer) as upstream,
        Proxy(folder, upstream.url, keys=keys) as proxy,
    ):
        yield proxy


def command(
    url: str,
    examples: int,
    seed: int,
    more: Sequence[str] = (),
    *,
    phases: str = "coverage,fuzzing",
) -> list[str]:
    """The command line of schemathesis."""
    line = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"]
    line += ["--header", f"Authorization: Bearer {KEY}", "--max-examples", str(examples)]
    line += ["--seed", str(seed), "--exclude-checks", ",".join(LEFT_OUT), "--warnings", "off"]
    return [*line, "--phases", phases, "--continue-on-failure", *more]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--examples", type=int, default=200, help="requests for each operation")
    parser.add_argument("--seed", type=int, default=1)
    options, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder, fuzzed_proxy(Path(folder)) as proxy:
        line = command(proxy.url, options.examples, options.seed, more)
        sys.exit(subprocess.run(line, check=False).returncode)


if __name__ == "__main__":
    main()
