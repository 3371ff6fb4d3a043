"""What the lanes of one answer share while they are continued."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from guard.asked import Asked
from guard.errors import CannotContinue
from guard.rewind.fields import Recipe
from guard.rewind.plan import Prompt
from guard.rewind.vllm import Engine, Send
from guard.rewind.watch import Budget

# Sends an answer's bytes through a filter, and notes what it finds.
Pump = Callable[[AsyncGenerator[bytes, None], Any], AsyncGenerator[bytes, None]]


@dataclass(slots=True)
class Job:
    """`head`: an event of the first answer; `counted`: the tokens of its prompts, where it said;
    `filter`: makes the output filter of a continuation; `note`: records what one found."""

    engine: Engine
    send: Send
    recipe: Recipe
    surface: Any
    asked: Asked
    budget: Budget
    head: Mapping[str, Any]
    counted: int | None
    filter: Callable[[Asked], Any]
    pump: Pump
    note: Callable[[Any], Awaitable[None]]
    prompts: dict[int, Prompt] = field(default_factory=dict)

    async def prompt(self, lane: int) -> Prompt:
        """The tokens of a lane's prompt.

        Raises CannotContinue where they are not those that the model read, or cannot be had, and
        UpstreamError.
        """
        number = self.recipe.prompt_of(lane)
        if number not in self.prompts:
            prompt = await self.engine.prompt(self.recipe.asking(number))
            if self.recipe.prompts == 1 and self.counted not in (None, len(prompt.ids)):
                raise CannotContinue("the prompt was tokenised in another way")
            self.prompts[number] = prompt
        return self.prompts[number]
