"""The model server of the fault runs, as a process of its own.

    python -m bench.faults.model --port 9000 --spacing 1.0

Answers every request as its scene says, `spacing` seconds between events; a second one is the guard
model. `PUT /mode` with `good`,
`slow` (ten times slower), `hung` (says nothing more) or `garbled` changes how it behaves at once.
"""

from __future__ import annotations

import argparse
import asyncio
import random

import orjson
import uvloop

from bench.connection import Connection
from bench.faults.scenes import NAME, REASONED, scene_of
from tests.support.answers import chat_completion

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
WHOLE = "A fine day."
GUIDING = b"You prepare how"  # begins what the guard asks of its guard model
INSTRUCTION = (
    "The request asks where somebody lives, which is covered; say that you cannot help with it "
    "and offer to speak about the weather."
)
# What a broken model server may send between its events.
GARBAGE = [
    b"data: not json " + NAME.encode() + b"\n\n",
    b"data: [1, 2]\n\n",
    b"data: \xff\xfe\x00\n\n",
    b'data: {"choices": [{"delta": {"content": "' + NAME.encode() + b'"}}]}\n\n',
    b'data: {"error": {"message": "' + NAME.encode() + b' is not served", "code": 500}}\n\n',
    b": " + NAME.encode() + b"\n\n",
    b"event: " + NAME.encode() + b"\ndata: {}\n\n",
    b"\x1f\x8b" + bytes(range(256)) + b"\n\n",
]
BROKEN_CHUNK = b"zz\r\n" + NAME.encode() + b"\r\n"  # not HTTP's framing


class Model:
    """How the server behaves just now."""

    def __init__(self, spacing: float) -> None:
        self.mode = "good"
        self.spacing = spacing
        self.chance = random.Random(0)


class FaultyConnection(Connection):
    """Answers by the scene, in the model's mode."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model

    def on_message_complete(self) -> None:
        if self.url == b"/mode":
            self._model.mode = self.body.decode()
            self.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        elif self.url == b"/v1/chat/completions":
            self.pending = asyncio.get_running_loop().create_task(self._answer(self.body))
        elif self.url == b"/v1/models":
            self._reply(200, {"object": "list", "data": [{"id": "tiny-model", "object": "model"}]})
        else:
            self._reply(404, {"error": {"message": "not here", "type": "NotFoundError"}})

    def _reply(self, status: int, content: object) -> None:
        body = orjson.dumps(content)
        head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n"
        self.transport.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)

    async def _answer(self, body: bytes) -> None:
        if b'"stream":true' not in body:
            await self._wait(0.0)
            self._reply(200, chat_completion(self._whole(body)))
            return
        self.transport.write(HEAD)
        for event in scene_of(body).events:
            await self._wait(self._model.spacing)
            if self._model.mode == "garbled" and self._model.chance.random() < 0.2:
                self._garble()
            self.transport.write(b"%x\r\n%b\r\n" % (len(event), event))
        self.transport.write(b"0\r\n\r\n")

    def _whole(self, body: bytes) -> str:
        """What is said to the guard's own questions, and to a probe."""
        if GUIDING in body:
            return INSTRUCTION
        scene = scene_of(body)
        return scene.text if scene.kind == "reasoned" and REASONED.encode() in body else WHOLE

    def _garble(self) -> None:
        garbage = self._model.chance.choice([*GARBAGE, BROKEN_CHUNK])
        framed = b"%x\r\n%b\r\n" % (len(garbage), garbage)
        self.transport.write(garbage if garbage is BROKEN_CHUNK else framed)

    async def _wait(self, seconds: float) -> None:
        while self._model.mode == "hung":
            await asyncio.sleep(0.1)
        await asyncio.sleep(seconds * (10 if self._model.mode == "slow" else 1))


async def serve(port: int, spacing: float) -> None:
    model = Model(spacing)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: FaultyConnection(model), "127.0.0.1", port, backlog=4096
    )
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--spacing", type=float, default=1.0, help="seconds between events")
    options = parser.parse_args()
    uvloop.run(serve(options.port, options.spacing))


if __name__ == "__main__":
    main()
