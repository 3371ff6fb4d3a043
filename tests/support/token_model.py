"""A model of a few tokens behind the routes of vLLM, for the scripted upstream. Deterministic.

It has stories, the one it likes best first, each a list of tokens: after any tokens it goes on with
the first story that begins with them and whose next token is not banned, and else it stops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.answers import CHAT_ID, CREATED, MODEL, TEXT_ID, sse
from tests.support.upstream import RecordedRequest, Reply

CONTEXT = 200
END = "<end>"
_SPECIAL = ("<user>", "<assistant>", END)


@dataclass
class TokenModel:
    """`handle` answers requests. `lacking`: paths that are not served; `asked`: bodies by path."""

    stories: Sequence[Sequence[str]]
    lacking: frozenset[str] = frozenset()
    broken: dict[str, Reply] = field(default_factory=dict)  # what comes instead, at token ids
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        letters = [chr(code) for code in range(32, 127)]
        pieces = [piece for story in self.stories for piece in story]
        self.vocabulary = list(dict.fromkeys([*_SPECIAL, *letters, *pieces]))
        self._longest = sorted(self.vocabulary, key=len, reverse=True)

    def encode(self, text: str) -> list[int]:
        """Greedily the longest token."""
        ids = []
        while text:
            piece = next(piece for piece in self._longest if text.startswith(piece))
            ids.append(self.vocabulary.index(piece))
            text = text[len(piece) :]
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(self.vocabulary[token] for token in ids)

    def handle(self, request: RecordedRequest) -> Reply:
        """One request."""
        body = request.json()
        self.asked.append((request.path, body))
        if request.path in self.lacking:
            return Reply.json({"detail": "Not Found"}, status=404)
        if request.path == "/tokenize":
            text = self._prompt(body)
            ids = self.encode(text)
            return Reply.json({"count": len(ids), "max_model_len": CONTEXT, "tokens": ids})
        if request.path == "/detokenize":
            return Reply.json({"prompt": self.decode(body["tokens"])})
        by_ids = isinstance(body.get("prompt"), list) and type(body["prompt"][0]) is int
        if by_ids and (kind := "rest" if body.get("stream") else "step") in self.broken:
            return self.broken[kind]
        prompts = body["prompt"] if isinstance(body.get("prompt"), list) and not by_ids else [body]
        return self._answer(
            body,
            [
                self._generate(self._ids(each if each is body else {"prompt": each}), body)
                for each in prompts
                for _ in range(body.get("n") or 1)
            ],
            sum(len(self._ids(each if each is body else {"prompt": each})) for each in prompts),
        )

    def _prompt(self, body: Any) -> str:
        if "messages" not in body:
            return str(body["prompt"])
        return "".join(f"<user>{m['content']}{END}" for m in body["messages"]) + "<assistant>"

    def _ids(self, body: Any) -> list[int]:
        prompt = body.get("prompt")
        return list(prompt) if isinstance(prompt, list) else self.encode(self._prompt(body))

    def _generate(self, ids: list[int], body: Any) -> tuple[list[str], str]:
        """The pieces that follow, and why they end."""
        said, made = self.decode(ids).rpartition("<assistant>")[2], []
        banned = {self.vocabulary[int(t)] for t in body.get("logit_bias") or ()}
        most = body.get("max_completion_tokens") or body.get("max_tokens") or CONTEXT
        while True:
            piece = self._next(said, banned)
            if piece == END:
                return made, "stop"
            made.append(piece)
            said += piece
            if len(made) == most:
                return made, "length"

    def _next(self, said: str, banned: set[str]) -> str:
        for story in self.stories:
            text = ""
            for piece in story:
                if text == said and piece not in banned:
                    return piece
                text += piece
        return END

    def _answer(self, body: Any, made: list[tuple[list[str], str]], read: int) -> Reply:
        chat = "messages" in body
        told = sum(len(pieces) + (reason == "stop") for pieces, reason in made)
        usage = {
            "prompt_tokens": read,
            "total_tokens": read + told,
            "completion_tokens": told,
        }
        head = {"id": CHAT_ID if chat else TEXT_ID, "created": CREATED, "model": MODEL}
        if not body.get("stream"):
            choices = [self._choice(body, i, *each, whole=True) for i, each in enumerate(made)]
            kind = "chat.completion" if chat else "text_completion"
            return Reply.json({**head, "object": kind, "choices": choices, "usage": usage})
        head["object"] = "chat.completion.chunk" if chat else "text_completion"
        events: list[Any] = []
        if chat:
            role = {"delta": {"role": "assistant", "content": ""}, "finish_reason": None}
            events += [{**head, "choices": [{"index": i, **role}]} for i in range(len(made))]
        for place in range(max(len(pieces) for pieces, _ in made) + 1):
            for index, (pieces, reason) in enumerate(made):
                if place <= len(pieces):
                    end = reason if place == len(pieces) else None
                    choice = self._choice(body, index, pieces[place : place + 1], end)
                    events.append({**head, "choices": [choice]})
        if (body.get("stream_options") or {}).get("include_usage"):
            events.append({**head, "choices": [], "usage": usage})
        return Reply.events(sse(*events, done=True))

    def _choice(
        self, body: Any, index: int, pieces: list[str], reason: str | None, *, whole: bool = False
    ) -> dict[str, Any]:
        text = "".join(pieces)
        said: dict[str, Any] = {"text": text}
        if "messages" in body:
            said = {"message" if whole else "delta": {"content": text}}
            if whole:
                said["message"]["role"] = "assistant"
        ids = [self.vocabulary.index(piece) for piece in pieces]
        if reason == "stop":
            ids.append(self.vocabulary.index(END))
        shown = {"token_ids": ids} if body.get("return_token_ids") else {}
        return {"index": index, **said, "finish_reason": reason, "stop_reason": None, **shown}
