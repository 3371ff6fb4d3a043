"""A model of this process, with an adapter where there is one: gives probabilities too."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from guard.errors import EvaluateError
from guard.evaluate.arms.base import Asked, Losses, Reply
from guard.evaluate.rendering import answered, rendered
from guard.evaluate.rows import Message, content_hash

BATCH = 16
_KEPT = 4  # figures of a token, see `Losses`


class Local:
    """A transformers folder, and a PEFT `adapter` folder on it.

    Greedy and sampled answers in batches; `seconds` of a reply is its share of the batch. Loaded at
    the first question. `change`: what is done to the loaded model before it is asked, with a name
    that tells it apart (an attack on the weights).
    """

    control: bool = False

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        what: str,
        adapter: Path | None = None,
        system: str = "",
        change: Any = None,
        change_name: str = "",
    ) -> None:
        self.name, self.what, self.weights = name, what, name
        self.folder, self.adapter = folder, adapter
        self._system, self._change = system, change
        hashes = [weights_hash(found) for found in (folder, adapter) if found is not None]
        self.identity = content_hash(["local", *hashes, system, change_name])

    @cached_property
    def tokenizer(self) -> Any:
        """Pads on the left. Raises EvaluateError for a folder without one."""
        from transformers import AutoTokenizer

        try:
            found = AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
        except (OSError, ValueError) as error:
            raise EvaluateError(f"{self.folder}: no tokenizer: {error}") from error
        if found.pad_token_id is None:
            found.pad_token = found.eos_token
        found.padding_side = "left"
        return found

    @cached_property
    def model(self) -> Any:
        """In float32, in evaluation mode. Raises EvaluateError for a folder without one."""
        import torch
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging

        from guard.distil.loading import in_one_piece

        logging.disable_progress_bar()  # the comparison has one of its own
        try:
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                self.folder, dtype=torch.float32, local_files_only=True
            )
            if self.adapter is not None:
                from peft import PeftModel

                loaded = PeftModel.from_pretrained(loaded, self.adapter).merge_and_unload()
        except (OSError, ValueError, ImportError) as error:
            raise EvaluateError(f"{self.name}: the model cannot be loaded: {error}") from error
        # PEFT freezes what it merges into; whoever holds the weights may train them again.
        in_one_piece(loaded.requires_grad_(True).eval())
        return loaded if self._change is None else self._change(loaded, self.tokenizer)

    def changed(self, name: str, change: Any) -> Local:
        """The same with something done to its weights: `change(model, tokenizer)` gives a model."""
        return Local(
            f"{self.name} ({name})",
            self.folder,
            what=f"{self.what}; {name}",
            adapter=self.adapter,
            system=self._system,
            change=change,
            change_name=name,
        )

    def answer(self, asked: Sequence[Asked]) -> Iterator[Reply]:
        """Batches of equal sampling, so that one greedy answer never depends on another's draw."""
        at = 0
        while at < len(asked):
            size = 1
            while (
                size < BATCH
                and at + size < len(asked)
                and asked[at + size].sampling == asked[at].sampling
            ):
                size += 1
            yield from self._generate(asked[at : at + size])
            at += size

    def _generate(self, batch: Sequence[Asked]) -> list[Reply]:
        import torch

        model = self.model  # loaded here: what is loaded in inference mode can never be trained
        began = time.perf_counter()
        prompts = [self.render(one.messages, one.opening) for one in batch]
        inputs = self.tokenizer(
            prompts, return_tensors="pt", padding=True, add_special_tokens=False
        )
        inputs.pop("token_type_ids", None)
        sampling = batch[0].sampling
        drawn: dict[str, Any] = {"do_sample": False}
        if sampling.temperature > 0:
            torch.manual_seed(sampling.seed)
            drawn = {"do_sample": True, "temperature": sampling.temperature, "top_k": 0}
        with torch.inference_mode():
            output = model.generate(
                **inputs,
                max_new_tokens=sampling.max_tokens,
                pad_token_id=self.tokenizer.pad_token_id,
                **drawn,
            )
        width = inputs["input_ids"].shape[1]
        seconds = (time.perf_counter() - began) / len(batch)
        replies = []
        for mask, tokens in zip(inputs["attention_mask"], output[:, width:].tolist(), strict=True):
            ended = next((i for i, t in enumerate(tokens) if t in self._ends), None)
            said = tokens[:ended]
            text = self.tokenizer.decode(said, skip_special_tokens=True)
            reason = "length" if ended is None else "stop"
            replies.append(Reply(text, reason, seconds, int(mask.sum()), len(said)))
        return replies

    def render(self, messages: Sequence[Message], opening: str = "") -> str:
        """The prompt as the model's chat template has it, with the beginning of an answer."""
        told = self._told(messages)
        return rendered(self.tokenizer, told) + answered(self.tokenizer, told, opening)

    def tokens(self, messages: Sequence[Message], answer: str) -> tuple[list[int], list[int]]:
        """Token ids of the prompt, and of an answer to it."""
        told = self._told(messages)
        texts = rendered(self.tokenizer, told), answered(self.tokenizer, told, answer)
        prompt, said = (self.tokenizer(one, add_special_tokens=False).input_ids for one in texts)
        return prompt, said

    def _told(self, messages: Sequence[Message]) -> list[Message]:
        return [*([("system", self._system)] if self._system else []), *messages]

    def losses(self, pairs: Sequence[tuple[tuple[Message, ...], str]]) -> list[Losses]:
        """What the model thinks of each answer. Batches are padded on the right, where a token
        sees nothing of it."""
        batches = (pairs[at : at + BATCH] for at in range(0, len(pairs), BATCH))
        return [found for batch in batches for found in self._losses(batch)]

    def _losses(self, pairs: Sequence[tuple[tuple[Message, ...], str]]) -> list[Losses]:
        import torch

        model = self.model  # before inference mode, as in `_generate`
        told = [self.tokens(messages, answer) for messages, answer in pairs]
        width = max(len(prompt) + len(said) for prompt, said in told)
        ids = torch.full((len(told), width), self.tokenizer.pad_token_id)
        for row, (prompt, said) in enumerate(told):
            ids[row, : len(prompt) + len(said)] = torch.tensor([*prompt, *said])
        # Of what all prompts have in common no logits are computed: a large vocabulary takes long.
        first = min(len(prompt) for prompt, _ in told) - 1
        mask = torch.ones_like(ids)
        with torch.inference_mode():
            logits = model(input_ids=ids, attention_mask=mask, logits_to_keep=width - first).logits
        # What is kept stands in one array, made before all that is large: between large ones, small
        # ones that stay would leave holes that nothing fits into again, a gigabyte in 50 answers.
        found = np.zeros((len(told), _KEPT, max(len(said) for _, said in told)))
        for row, (prompt, said) in enumerate(told):
            last = len(prompt) + len(said) - 1 - first
            own = logits[row, len(prompt) - 1 - first : last]
            _fill(found[row, :, : len(said)], torch.log_softmax(own.double(), dim=-1), said)
        kept = (one[:, : len(said)] for one, (_, said) in zip(found, told, strict=True))
        return [Losses(log_p, mean, spread, greedy > 0) for log_p, mean, spread, greedy in kept]

    @cached_property
    def _ends(self) -> frozenset[int]:
        found = getattr(self.model.generation_config, "eos_token_id", None)
        if found is None:
            found = self.tokenizer.eos_token_id
        several = [found] if isinstance(found, int) else list(found or ())
        return frozenset(np.asarray(several, np.int64).tolist())


def _fill(found: Any, log_p: Any, said: Sequence[int]) -> None:
    """Into `found` (`_KEPT`, tokens), of log-probabilities (tokens, vocabulary): that of the token
    that was said, mean and deviation over the vocabulary, and whether it was the likeliest."""
    import torch

    labels = torch.tensor(said)
    p = log_p.exp()
    mean = (p * log_p).sum(-1)
    spread = ((p * log_p.square()).sum(-1) - mean.square()).clamp(min=0).sqrt()
    told = (log_p[torch.arange(len(labels)), labels], mean, spread, log_p.argmax(-1) == labels)
    for place, values in enumerate(told):
        found[place] = values.numpy()


def weights_hash(folder: Path) -> str:
    """Of every file of a model folder. Raises EvaluateError for an empty or missing one."""
    digest = hashlib.sha256()
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise EvaluateError(f"{folder}: no model there")
    for path in files:
        digest.update(path.relative_to(folder).as_posix().encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
