"""One answer with lanes to take back: lane after lane, then what all of them waited for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

import orjson

from guard import metrics
from guard.api.sse import encode
from guard.errors import UpstreamError
from guard.rewind import splice
from guard.rewind.job import Job
from guard.rewind.lane import Lane

Record = Callable[[Mapping[str, Any]], Awaitable[None]]


class Rewinding:
    """Continues the waiting lanes of a filter, once: `stream` or `whole`."""

    def __init__(self, job: Job, filter_: Any, record: Record) -> None:
        self._job = job
        self._filter = filter_
        self._record = record
        waiting = filter_.watch.waiting.values()
        self._lanes = [Lane(job, filter_, each) for each in waiting]
        self._first_text = {lane.number: lane.text for lane in self._lanes}

    @property
    def ended(self) -> bool:
        """Whether a lane ended after all, with `content_filter`."""
        return not all(lane.finished for lane in self._lanes)

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The rest of a stream. Raises DetectorError where the audit log refuses a record."""
        for lane in self._lanes:
            async with aclosing(lane.events()) as outs:
                async for out in outs:
                    yield out
        await self._note()
        tail = self._filter.watch.tail
        if not any(lane.continued for lane in self._lanes):
            yield self._filter.rest(tail)
            return
        counted = [event.payload.answer for event in tail if _usage_of(event.payload.answer)]
        usage = await self._usage(_usage_of(counted[0]) if counted else None)
        if counted:
            tail = [self._recounted(event, usage) for event in tail]
            yield self._filter.rest(tail)
            return
        if self._job.asked.include_usage:
            yield splice.usage_chunk(self._job.recipe.shape, self._job.head, usage)
        yield self._filter.rest(tail)

    async def whole(self, body: bytes) -> bytes:
        """A whole answer, continued. Raises as `stream`."""
        shape, said = self._job.recipe.shape, {}
        for lane in self._lanes:
            async with aclosing(lane.events()) as outs:
                events = b"".join([out async for out in outs])
            if lane.replaced:
                said[lane.number] = splice.gathered(shape, events)
        await self._note()
        if not said:
            return body
        answer = orjson.loads(body)
        for choice in answer["choices"]:
            if choice["index"] in said:
                splice.put(shape, choice, said[choice["index"]])
        counted = _usage_of(answer)
        if counted is not None:
            answer["usage"] = {**counted, **await self._usage(counted)}
        return orjson.dumps(answer)

    async def _note(self) -> None:
        """One record an answer that went on, and its policies in the figures."""
        lanes = [lane for lane in self._lanes if lane.continued]
        policies = sorted({policy for lane in lanes for policy in lane.policies})
        finished = {policy for lane in lanes if lane.finished for policy in lane.policies}
        for policy in policies:
            if policy in finished:
                metrics.FILTERED.labels(policy, "enforce").inc()
            times = sum(lane.continued for lane in lanes if policy in lane.policies)
            await self._record({"decision": "rewound", "policy": policy, "times": times})

    async def _usage(self, counted: Mapping[str, Any] | None) -> dict[str, int]:
        """Prompt tokens of the first call, completion tokens of what the client got."""
        job, completion = self._job, 0
        others = len(self._lanes) < job.asked.lanes
        if others and counted is not None:  # less what lanes said before that went on
            completion = counted["completion_tokens"]
            for lane in self._lanes:
                if lane.continued:
                    completion -= await self._of_text(lane, self._first_text[lane.number], end=1)
        for lane in self._lanes:
            if lane.continued:
                completion += lane.tokens(job.prompts[job.recipe.prompt_of(lane.number)])
            elif counted is None or not others:
                completion += await self._of_text(lane, lane.text[: lane.cut])
        read = sum(len(prompt.ids) for prompt in job.prompts.values())
        return splice.usage(
            read if counted is None else counted["prompt_tokens"], max(0, completion)
        )

    async def _of_text(self, lane: Lane, text: str, end: int = 0) -> int:
        """Tokens of an answer's text, and `end` for its end; 0 where they cannot be had."""
        try:
            prompt = await self._job.prompt(lane.number)
            ids = await self._job.engine.tokens(self._job.recipe.model, prompt.text + text)
        except UpstreamError:
            return 0
        return len(ids) - len(prompt.ids) + end

    def _recounted(self, event: Any, usage: Mapping[str, int]) -> Any:
        answer = event.payload.answer
        counted = _usage_of(answer)
        if counted is None:
            return event
        answer = {**answer, "usage": {**counted, **usage}}
        raw = encode(orjson.dumps(answer))
        return event._replace(payload=event.payload._replace(raw=raw, answer=answer))


def _usage_of(answer: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    counted = answer.get("usage") if answer else None
    return counted if isinstance(counted, dict) and "completion_tokens" in counted else None
