"""A fast scripted model server for benchmarks, as a process of its own.

    python -m bench.upstream --port 9000 --prefill-ms 50 --deltas 64 --spacing-ms 5

It answers `/v1/chat/completions` in vLLM's shapes from bytes built once: JSON, or server-sent
events where the body says `"stream": true`. `PUT /script` with the same settings as JSON changes
them while it runs, so that a proxy in front need not be restarted between measurements.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import orjson
import uvloop

from bench.connection import Connection
from tests.support.answers import chat_chunks, chat_completion, sse

TEXT = (
    "The river rises in the hills and runs past three mills before it reaches the town where "
    "the market is held every week and where people meet to talk about the weather and the "
    "price of grain while children play by the old stone bridge near the school "
)

_STREAM = re.compile(rb'"stream"\s*:\s*true')


@dataclass(frozen=True, slots=True)
class Script:
    """How the model behaves: milliseconds before the answer, deltas, milliseconds between them."""

    prefill_ms: float = 0.0
    deltas: int = 64
    spacing_ms: float = 0.0

    def json_answer(self) -> bytes:
        """A whole answer of `deltas` words as an HTTP response."""
        text = " ".join(self._words())
        body = orjson.dumps(chat_completion(text))
        head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        return (head % len(body)).encode() + body

    def stream_answer(self) -> list[bytes]:
        """Head with the role event, then one HTTP chunk an event."""
        head = (
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        events = sse(*chat_chunks([f"{word} " for word in self._words()]), done=True)
        chunks = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
        # vLLM sends the role, the first token and so on; the last token, [DONE] and the end of
        # the body leave together.
        return [head + chunks[0] + chunks[1], *chunks[2:-2], b"".join(chunks[-2:]) + b"0\r\n\r\n"]

    def _words(self) -> list[str]:
        words = TEXT.split()
        return [words[i % len(words)] for i in range(self.deltas)]


class Model:
    """The current script with its bytes."""

    def __init__(self, script: Script) -> None:
        self.use(script)

    def use(self, script: Script) -> None:
        self.script = script
        self.json_answer = script.json_answer()
        self.stream_answer = script.stream_answer()


class ScriptedConnection(Connection):
    """Answers by the model's script."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model
        self._loop = asyncio.get_running_loop()

    def on_message_complete(self) -> None:
        if self.url == b"/script":
            self._model.use(Script(**orjson.loads(self.body)))
            self.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        elif self.url == b"/v1/models":
            self._reply(orjson.dumps({"object": "list", "data": [_model_card()]}))
        elif _STREAM.search(self.body):
            self._after(self._model.script.prefill_ms, self._stream)
        else:
            self._after(self._model.script.prefill_ms, self._answer)

    def _after(self, delay_ms: float, step: Callable[[], None]) -> None:
        if delay_ms:
            self.pending = self._loop.call_later(delay_ms / 1000, step)
        else:
            step()

    def _answer(self) -> None:
        self.transport.write(self._model.json_answer)

    def _reply(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self.transport.write(head % len(body) + body)

    def _stream(self) -> None:
        if not self._model.script.spacing_ms:
            self.transport.writelines(self._model.stream_answer)
            return
        self._left = deque(self._model.stream_answer)
        self._due = self._loop.time()
        self._next()

    def _next(self) -> None:
        self.transport.write(self._left.popleft())
        if self._left:
            # Against the schedule, not the last write: lateness does not add up.
            self._due += self._model.script.spacing_ms / 1000
            self.pending = self._loop.call_at(self._due, self._next)


def _model_card() -> dict[str, object]:
    return {"id": "tiny-model", "object": "model", "created": 1_790_000_000, "owned_by": "vllm"}


async def serve(port: int, script: Script) -> None:
    model = Model(script)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: ScriptedConnection(model), "127.0.0.1", port, backlog=2048
    )
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--prefill-ms", type=float, default=0.0)
    parser.add_argument("--deltas", type=int, default=64)
    parser.add_argument("--spacing-ms", type=float, default=0.0)
    options = parser.parse_args()
    script = Script(options.prefill_ms, options.deltas, options.spacing_ms)
    uvloop.run(serve(options.port, script))


if __name__ == "__main__":
    main()
