"""What flow asks: may this answer be taken back, and then how it goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, Protocol

from guard.asked import Asked
from guard.enforcement import Binding
from guard.policy import Policy
from guard.rewind.answer import Rewinding
from guard.rewind.fields import SHAPES, Recipe
from guard.rewind.job import Job, Pump
from guard.rewind.vllm import Engine, Send
from guard.rewind.watch import Budget, Watch
from guard.upstream import Upstream

CONTINUE_AT = "/v1/completions"


class Asking(Protocol):
    """The request: a `Call`."""

    @property
    def endpoint(self) -> Any: ...
    @property
    def asked(self) -> Asked: ...
    @property
    def body(self) -> bytes: ...
    @property
    def flagged(self) -> Policy | None: ...


class Rewinder:
    """One a worker: it remembers whether the upstream can do it."""

    def __init__(self, upstream: Upstream) -> None:
        self._engine = Engine(upstream)

    def watch(self, call: Asking, binding: Binding) -> Watch | None:
        """What a filter is to keep; None where nothing can be taken back."""
        shape = SHAPES.get(call.endpoint.name)
        if shape is None or not binding.rewinds or self._engine.lacking:
            return None

        @cache
        def recipe() -> Recipe | None:
            return Recipe.of(call.endpoint.name, call.body)

        return Watch(shape, call.asked.leads, Budget(binding.rewinds), recipe)

    def rewinding(
        self,
        call: Asking,
        filter_: Any,
        binding: Binding,
        *,
        send: Send,
        pump: Pump,
        note: Callable[[Any], Awaitable[None]],
        record: Callable[[Any], Awaitable[None]],
    ) -> Rewinding:
        """For a filter whose watch has waiting lanes, once the first call has ended."""
        watch: Watch = filter_.watch
        recipe = watch.recipe()
        assert recipe is not None, "a lane waits only where there is a recipe"

        def continued(asked: Asked) -> Any:
            part = call.endpoint.filter(binding, asked, call.flagged)
            leads = asked.leads
            part.watch = Watch(recipe.shape, leads, watch.budget, watch.recipe, part=True)
            return part

        said = [filter_.template, *(event.payload.answer or {} for event in watch.tail)]
        usages: list[dict[str, Any]] = [each["usage"] for each in said if each.get("usage")]
        job = Job(
            engine=self._engine,
            send=send,
            recipe=recipe,
            surface=call.endpoint,
            asked=call.asked,
            budget=watch.budget,
            head=filter_.template,
            counted=usages[0].get("prompt_tokens") if usages else None,
            filter=continued,
            pump=pump,
            note=note,
        )
        return Rewinding(job, filter_, record)
