"""The class that vLLM loads.

One class for both of vLLM's model runners. Each of them refuses a class that is not of its own
kind, so the class is of both kinds; which one it is to be is told by what it is made with.
"""

from __future__ import annotations

from typing import Any

from vllm.v1.sample.logits_processor.interface import LogitsProcessor as V1Processor
from vllm.v1.worker.gpu.sample.logits_processor.interface import LogitsProcessor as V2Processor

from guard.restrict.vllm_plugin.arguments import problem_of


class GuardLogitsProcessor(V1Processor, V2Processor):
    """Keeps forbidden text from being generated.

    V1 makes it with (config, device, pinned memory), V2 with (config, request states). Raises
    EngineError at start when it could not guard: the shelf is not set, or the model's tokenizer is
    not understood. From then on nothing raises on policies or requests.
    """

    def __init__(self, vllm_config: Any, *made_with: Any) -> None:
        from guard.restrict.vllm_plugin.starting import started_engine

        self._v2: Any = None
        self._v1: Any = None
        if len(made_with) == 1:
            from guard.restrict.vllm_plugin.v2 import V2Guard

            engine = started_engine(vllm_config, runner="v2")
            self._v2 = V2Guard(vllm_config, made_with[0], engine, cache=engine.cache)
        else:
            from guard.restrict.vllm_plugin.v1 import V1Guard

            engine = started_engine(vllm_config, runner="v1")
            self._v1 = V1Guard(engine, vllm_config.scheduler_config.max_num_seqs)
        engine.start()

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        """In the frontend. Raises ValueError, which becomes an HTTP 400."""
        problem = problem_of(sampling_params.extra_args)
        if problem is not None:
            raise ValueError(problem)

    # --- V1 ----------------------------------------------------------------------------------

    def is_argmax_invariant(self) -> bool:
        """No: bans change what is most likely."""
        return False

    def update_state(self, batch_update: Any) -> None:
        """Follow the batch."""
        self._v1.update(batch_update)

    # --- V2 ----------------------------------------------------------------------------------

    def add_request(self, req_idx: int, sampling_params: Any) -> bool:
        """A request has got a slot; whether it is guarded."""
        return bool(self._v2.add_request(req_idx, sampling_params))

    def apply_staged_writes(self) -> None:
        """Copy what `add_request` noted to the device."""
        self._v2.apply_staged_writes()

    # --- both --------------------------------------------------------------------------------

    def apply(self, logits: Any, *context: Any) -> Any:
        """Change the logits of a step in place: (logits) under V1, (logits, context) under V2."""
        return (self._v2 or self._v1).apply(logits, *context)
