"""Plain text's tokens, word by word, are the tokenizer's own."""

import json
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, FixedLength, Sequence, Whitespace

from classifiers.wordpiece import PlainWords

LONGEST = 20
PIECES = ["[UNK]", "[MASK]", "harbour", "light", "##house", "##s", "un", "##known", "x", "##x"]
VOCABULARY = {piece: number for number, piece in enumerate([*PIECES, *"abcdei0123.,!?'-_#[]"])}


def opened(**changed):
    tokenizer = Tokenizer(WordPiece(VOCABULARY, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.add_special_tokens(["[UNK]", "[MASK]"])
    for name, part in changed.items():
        setattr(tokenizer, name, part)
    return tokenizer


def words_of(tokenizer):
    words = PlainWords.of(tokenizer, LONGEST)
    tokenizer.pre_tokenizer = Sequence([BertPreTokenizer(), FixedLength(length=LONGEST)])
    return words


TOKENIZER = opened()
WORDS = words_of(TOKENIZER)
SAID = st.lists(
    st.one_of(
        st.sampled_from(["Lighthouse's", "harbours", "unknown", "x" * 45, "[MASK]", "[mask]", "Q"]),
        st.text(string.printable + "\x00\x1f\x7fé", max_size=6),
    ),
    max_size=8,
).map(" ".join)


@given(text=SAID)
@settings(max_examples=400)
def test_tokens_are_those_of_the_tokenizer(text):
    found = WORDS.tokens(text)
    if found is not None:
        wanted = TOKENIZER.encode(text, add_special_tokens=False)
        assert found.ids == wanted.ids
        assert found.offsets == wanted.offsets


@pytest.mark.parametrize("text", ["", "The light, unknown: lighthouses!", "x\ty\r\nz", "x" * 50])
def test_plain_text_is_read(text):
    assert WORDS.tokens(text) is not None


@pytest.mark.parametrize("text", ["é", "a [MASK] b", "a\x00b", "a\x0bb", "\x7f"])
def test_other_text_is_left_to_the_tokenizer(text):
    assert WORDS.tokens(text) is None


@pytest.mark.parametrize(
    "tokenizer",
    [
        opened(normalizer=BertNormalizer(lowercase=False)),
        opened(pre_tokenizer=Whitespace()),
        opened(model=WordPiece(VOCABULARY, unk_token="[UNK]", max_input_chars_per_word=10)),
    ],
)
def test_a_tokenizer_of_another_kind_is_refused(tokenizer):
    assert PlainWords.of(tokenizer, LONGEST) is None


def test_a_token_that_is_found_in_lowered_text_is_refused():
    said = json.loads(opened().to_str())
    said["added_tokens"][0]["normalized"] = True
    assert PlainWords.of(Tokenizer.from_str(json.dumps(said)), LONGEST) is None


@pytest.mark.encoder
@given(text=SAID)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_encoder_that_ships_reads_plain_text_so(minilm, text):
    read = minilm._tokenizer
    found, wanted = read.tokens(text), read._tokenizer.encode(text, add_special_tokens=False)
    assert (found.ids, list(found.offsets)) == (wanted.ids, wanted.offsets)
    if text.isascii() and text.isprintable() and "[MASK]" not in text:
        assert read._plain.tokens(text) is not None
