"""One lane of an answer: back to before the match, on in another way, again if need be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from guard import metrics
from guard.errors import CannotContinue, UpstreamError
from guard.rewind import vllm
from guard.rewind.fields import straddles
from guard.rewind.job import Job
from guard.rewind.plan import (
    LOOK_AHEAD,
    Bans,
    Known,
    Place,
    Prompt,
    Shared,
    joined,
    length_of,
    shared,
)
from guard.rewind.splice import Said, chunk
from guard.rewind.vllm import Heard
from guard.rewind.watch import Waiting

PREPARE_SECONDS = 30.0  # to find the place and take the first step; then the answer ends


class Lane:
    """Runs once: `events`. Afterwards it tells what came of it.

    `policies`: whose matches it had; `continued`: how often the model went on; `replaced`: what has
    come of that stands for what was said before; `finished`: it came to an end of its own.
    """

    def __init__(self, job: Job, filter_: Any, waiting: Waiting) -> None:
        self._job = job
        self._filter = filter_
        self._waiting: Waiting | None = waiting
        self._bans = Bans()
        self._known: Known | None = None
        self._released: int = filter_.watch.sent(waiting.lane)
        self.number = waiting.lane
        self.text: str = filter_.watch.text(waiting.lane)
        self.cut = max(waiting.start, self._released)  # where it ends if it does not go on
        self.policies: list[str] = []
        self.continued = 0
        self.replaced = False
        self.finished = False

    def tokens(self, prompt: Prompt) -> int:
        """Tokens of the answer as the client got it, once it went on."""
        assert self._known is not None
        ids = len(self._known.ids)
        if not self.finished and self._waiting is not None:
            cut = max(self._waiting.start, self._released)
            ids = next(iter(self._known.before(cut)), len(prompt.ids))
        return ids - len(prompt.ids)

    async def events(self) -> AsyncGenerator[bytes, None]:
        """The lane's further events, its end included. Raises DetectorError from the pump."""
        while (waiting := self._waiting) is not None:
            budget = self._job.budget
            self.policies = list(dict.fromkeys([*self.policies, *waiting.policies]))
            if not budget.has_room(waiting.policies):  # other lanes have spent it
                break
            budget.spent += 1
            try:
                async with asyncio.timeout(PREPARE_SECONDS):
                    prompt, place, first = await self._step(waiting)
            except (UpstreamError, TimeoutError) as error:
                _count(error)
                break
            self._note_step(waiting, place)
            part = self._part()
            silent = True
            try:
                said = self._chunks(prompt, place, first)
                async with aclosing(self._job.pump(said, part)) as outs:
                    async for out in outs:
                        silent, self.replaced = False, True
                        yield out
            except UpstreamError as error:
                _count(error)
                if not silent:  # what was held back is dropped; how it would go on nobody knows
                    part.findings.cut += waiting.policies
                    await self._job.note(part.findings)
                    self._note_end(waiting.policies)
                    yield self._job.surface.lane_end(self.number, self._job.head)
                    return
                break
            if not self._take_over(part):
                return
        if self._waiting is not None:
            async with aclosing(self._give_in(self._waiting)) as outs:
                async for out in outs:
                    yield out

    async def _give_in(self, waiting: Waiting) -> AsyncGenerator[bytes, None]:
        """The lane ends as its filter would have ended it."""
        self._note_end(waiting.policies)
        out = self._filter.give_in(self.number)
        await self._job.note(self._filter.findings)
        yield out

    async def _step(self, waiting: Waiting) -> tuple[Prompt, Place, Heard]:
        """Find the place, and take one token that is not the one that led to the match."""
        job = self._job
        prompt = await job.prompt(self.number)
        place = await self._place(prompt, waiting)
        banned = self._bans.add(place)
        left = self._left(prompt, place)
        if banned is None or left < 1:
            raise CannotContinue("there is no other way to go on")
        if straddles(self.text[: place.length], job.recipe.stops):
            raise CannotContinue("a stop string may lie across the joint")
        made = len(place.ids) - len(prompt.ids)
        heard = await vllm.step(job.send, job.recipe.going_on(place.ids, made, left, banned))
        if len(heard.ids) != 1 or heard.ids[0] in banned:
            raise CannotContinue("the model server did not take one other token")
        return prompt, place, heard

    async def _place(self, prompt: Prompt, waiting: Waiting) -> Place:
        """The longest token prefix that ends before the match and holds what has left."""
        model = self._job.recipe.model
        cut = max(waiting.start, self._released)
        sources: list[Known | Shared] = [self._known] if self._known is not None else []
        while True:
            for source in sources:
                for count in source.before(cut):
                    ids = source.ids[:count]
                    decoded = await self._job.engine.text(model, ids)
                    length = length_of(decoded, prompt, self.text, self._released, cut)
                    if length is not None:
                        thrown = len(source.ids) - count
                        return Place(ids, length, source.ids[count], thrown)
            if sources and isinstance(sources[-1], Shared):
                raise CannotContinue("no token ends where the answer could be taken back to")
            sources = [await self._tokenised(prompt, cut, waiting.end + LOOK_AHEAD)]

    async def _tokenised(self, prompt: Prompt, cut: int, end: int) -> Shared:
        """The answer's text as tokens, where those that the model took are not known."""
        engine, model = self._job.engine, self._job.recipe.model
        ids = []
        for text in (self.text[:end], self.text[:cut]):
            together = await engine.tokens(model, prompt.text + text)
            fits = together[: len(prompt.ids)] == prompt.ids
            alone = () if fits else await engine.tokens(model, text)
            ids.append(joined(prompt, together, alone))
        return shared(prompt, *ids)

    def _left(self, prompt: Prompt, place: Place) -> int:
        most = self._job.recipe.most(prompt.context - len(prompt.ids))
        return most - (len(place.ids) - len(prompt.ids))

    async def _chunks(
        self, prompt: Prompt, place: Place, first: Heard
    ) -> AsyncGenerator[bytes, None]:
        """The continuation as events of the answer, beginning with what has not left yet."""
        job = self._job
        known = self._known = Known(place.ids)
        known.add((), place.length)
        kept, left = self.text[: place.length], self._left(prompt, place) - 1
        held = kept[self._released :]
        self.text, length = kept + first.text, place.length + len(first.text)
        known.add(first.ids, length)
        if first.finish_reason == "stop" or left < 1:
            reason = first.finish_reason or "length"
            yield self._chunk(Said(held + first.text, reason, first.stop_reason))
            return
        if straddles(self.text, job.recipe.stops):
            raise CannotContinue("a stop string may lie across the joint")
        if held or first.text:
            yield self._chunk(Said(held + first.text, None, None))
        body = job.recipe.going_on(known.ids, len(known.ids) - len(prompt.ids), left)
        async with aclosing(vllm.go_on(job.send, body)) as rest:
            async for heard in rest:
                self.text += heard.text
                known.add(heard.ids, len(self.text))
                if heard.text or heard.finish_reason is not None:
                    yield self._chunk(Said(heard.text, heard.finish_reason, heard.stop_reason))

    def _chunk(self, said: Said) -> bytes:
        return chunk(self._job.recipe.shape, self._job.head, self.number, said)

    def _part(self) -> Any:
        """A filter that goes on where the last one stood: it has read all that has left."""
        lead = self._job.asked.leads.get(self.number, "") + self.text[: self._released]
        asked = replace(self._job.asked, lanes=1, leads={self.number: lead})
        return self._job.filter(asked)

    def _take_over(self, part: Any) -> bool:
        """What the continuation came to; True when it is to be taken back itself."""
        waiting: Waiting | None = part.watch.waiting.get(self.number)
        if waiting is None:
            self._waiting, self.finished = None, not part.cut_short
            if part.cut_short:  # by a match that may not be taken back
                self._note_end(self.policies)
            return False
        before = self._released
        waiting.start, waiting.end = waiting.start + before, waiting.end + before
        self._released = before + part.watch.sent(self.number)
        self._filter, self._waiting, self.replaced = part, waiting, True
        return True

    def _note_step(self, waiting: Waiting, place: Place) -> None:
        self.continued += 1
        metrics.WASTED_TOKENS.inc(place.thrown)
        for policy in waiting.policies:
            metrics.REWINDS.labels(policy, "continued").inc()

    def _note_end(self, policies: list[str]) -> None:
        for policy in policies:
            metrics.REWINDS.labels(policy, "ended").inc()


def _count(error: Exception) -> None:
    """A continuation that failed; one that was never possible is no failure."""
    if not isinstance(error, CannotContinue):
        code = error.code if isinstance(error, UpstreamError) else "upstream_timeout"
        metrics.UPSTREAM_ERRORS.labels(code).inc()
