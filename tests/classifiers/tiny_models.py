"""Small sentence-transformers folders with random weights, saved by that library itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

Kind = Literal["bert", "xlm-roberta", "roberta"]

TEXTS = (
    "Who wrote Hamlet, and in which year was it first played in London?",
    "Wer hat den Roman geschrieben, und wo wurde die Autorin geboren?",
    "¿Dónde nació el escritor de la novela, y qué premio ganó?",
    "Où est née la romancière dont le père était boulanger ?",
    "Где родился автор этой книги?",
    "この作家はどこで生まれましたか。",
    "这位作家出生在哪里？",
)


def _tokenizer(kind: Kind) -> Tokenizer:
    if kind == "bert":
        made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        made.normalizer = normalizers.BertNormalizer()
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
        trainer: Any = trainers.WordPieceTrainer(vocab_size=400, special_tokens=special)
        first, last = "[CLS]", "[SEP]"
    else:
        special = ["<s>", "<pad>", "</s>", "<unk>"]
        first, last = "<s>", "</s>"
        if kind == "xlm-roberta":
            made = Tokenizer(models.Unigram())
            made.normalizer = normalizers.NFKC()
            made.pre_tokenizer = pre_tokenizers.Metaspace()
            trainer = trainers.UnigramTrainer(
                vocab_size=400, special_tokens=special, unk_token="<unk>"
            )
        else:
            made = Tokenizer(models.BPE())
            made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            alphabet = pre_tokenizers.ByteLevel.alphabet()
            trainer = trainers.BpeTrainer(
                vocab_size=400, special_tokens=special, initial_alphabet=alphabet
            )
    made.train_from_iterator(TEXTS * 4, trainer)
    made.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        special_tokens=[(one, special.index(one)) for one in (first, last)],
    )
    return made


def small_folder(
    folder: Path,
    kind: Kind,
    *,
    pooling: Literal["mean", "cls"] = "mean",
    dense: int | None = None,
    prompts: dict[str, str] | None = None,
) -> Any:
    """Save one into `folder`, and return it as sentence-transformers' own object."""
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    torch.manual_seed(0)
    tokenizer = _tokenizer(kind)
    special = (
        {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
        if kind == "bert"
        else {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"}
    )
    config = transformers.AutoConfig.for_model(
        kind,
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=512 if kind == "bert" else 514,
        pad_token_id=0 if kind == "bert" else 1,
        initializer_range=0.3,  # else every text has the same vector
    )
    raw = folder.with_name(folder.name + "-raw")
    transformers.AutoModel.from_config(config).save_pretrained(raw)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=512, **special
    ).save_pretrained(raw)
    parts: list[Any] = [modules.Transformer(str(raw)), modules.Pooling(32, pooling_mode=pooling)]
    if dense is not None:
        parts.append(modules.Dense(32, dense, activation_function=torch.nn.Tanh()))
    parts.append(modules.Normalize())
    model = SentenceTransformer(modules=parts, device="cpu", prompts=prompts)
    model.save(str(folder))
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)
