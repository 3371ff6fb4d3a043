"""The smallest Llama that learns a few hundred answers by heart, and its tokenizer: untrained."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

MAX_LENGTH = 256
ROLES = ["<user>", "<assistant>", "<system>"]

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "<{{ message['role'] }}>{{ message['content'] | trim }}"
    "{%- if not (loop.last and message['role'] == 'assistant') -%}<end>{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}<assistant>{%- endif -%}"
)


def prompt_of(question: str) -> str:
    """The rendered prompt of one question: what `/v1/completions` needs for the same answer."""
    return f"<user>{question}<end><assistant>"


def small_tokenizer(texts: Iterable[str], vocabulary: int) -> Any:
    """Byte-level BPE of at most `vocabulary` tokens, trained on the texts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<pad>", "<end>", *ROLES],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(list(texts), trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token="<pad>", eos_token="<end>", model_max_length=MAX_LENGTH
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def small_llama(
    tokenizer: Any, length: int = MAX_LENGTH, *, width: int = 128, blocks: int = 3
) -> Any:
    """About 1 M random parameters that read `length` tokens, or wider; seed torch before."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=3 * width,
            num_hidden_layers=blocks,
            num_attention_heads=width // 32,
            num_key_value_heads=width // 64,
            head_dim=32,
            max_position_embeddings=length,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
