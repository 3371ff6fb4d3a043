"""From vLLM's configuration to a running `Engine`."""

from __future__ import annotations

import logging
from typing import Any, Literal

import numpy as np

from guard.errors import EngineError
from guard.restrict.batch_step import Seats
from guard.restrict.outlook import outlook
from guard.restrict.phrases import Phrase
from guard.restrict.shelf import Shelf
from guard.restrict.token_bytes import token_bytes
from guard.restrict.token_guard import TokenGuard
from guard.restrict.trie import UNBOUNDED, build_trie
from guard.restrict.vllm_plugin.engine import Engine
from guard.restrict.vllm_plugin.options import options_of
from guard.restrict.vocabulary import build_vocabulary

log = logging.getLogger("guard.vllm_plugin")


def started_engine(config: Any, *, runner: Literal["v1", "v2"]) -> Engine:
    """The engine of this rank, which does not follow the shelf yet. Takes seconds, more where the
    compiled walk is not in numba's cache. Raises EngineError."""
    from vllm.distributed import parallel_state
    from vllm.tokenizers.registry import cached_tokenizer_from_config

    options = options_of()
    tokenizer = cached_tokenizer_from_config(config.model_config)
    if tokenizer is None:
        raise EngineError("vLLM was started without a tokenizer: its tokens cannot be read")
    size = config.model_config.get_vocab_size()
    end = tokenizer.eos_token_id
    if end is None or not 0 <= end < size:
        raise EngineError("the model has no end-of-sequence token")
    vocabulary = build_vocabulary(token_bytes(tokenizer, size))
    parallel = config.parallel_config
    in_group = parallel_state.model_parallel_is_initialized()  # type: ignore[no-untyped-call]
    group = parallel_state.get_tp_group() if in_group else None
    samples = parallel_state.get_pp_group().is_last_rank if in_group else True
    engine = Engine(
        Shelf(options.shelf),
        vocabulary,
        end=end,
        nodes=options.nodes,
        name=f"{config.instance_id}-{parallel.data_parallel_rank}",
        rank=group.rank_in_group if group is not None else 0,
        ranks=parallel.tensor_parallel_size,
        facts={
            "model": config.model_config.served_model_name,
            "runner": runner,
            "tokens": vocabulary.tokens,
            "logprobs_mode": config.model_config.logprobs_mode,
            "speculative": config.speculative_config is not None,
        },
        reports=samples,
        cache=options.shelf / "tables",
    )
    _warm_up(engine)
    return engine


def _warm_up(engine: Engine) -> None:
    """Compile the walk now: a step of the engine must not wait for it."""
    word = Phrase(b"ab", False, "text", "", (b"ab",))
    trie = build_trie([word.symbols], [UNBOUNDED])
    root = engine.forest.plant(trie, outlook(trie))
    guard = TokenGuard(engine.vocabulary, end=engine.end, rows=1, forest=engine.forest)
    first = int(engine.vocabulary.order[0])
    guard.begin(0, [root], lead=[first])
    width = engine.vocabulary.tokens
    logits = np.zeros((1, width), dtype=np.float32)
    seats = Seats([0], [0], [[first]])
    guard.follow(seats)
    guard.ban(seats, int(logits.ctypes.data), width, width)
    guard.restrict(logits, [0], [0])
    engine.forest.fell(root)
