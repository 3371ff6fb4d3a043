"""GUARD as its paper describes it (arXiv 2505.13312): what ours is compared with, never served.

*From what could be read of the paper* (abstract, reviews): the prompt is compared with the stored
answers themselves and the nearest one, `argmax sim(x, A_i)`, says what is forbidden; decoding is a
beam search in which a trie over tokenised forbidden sequences drops a candidate whose match ratio
reaches beta, and SBERT drops a candidate whose word comes within delta of a forbidden span and
subtracts the cosine of any other word.

*In its spirit only*: which spans of an answer are sensitive (`spans.py`), because how the paper
extracts them could not be read; and what a word is (`words.py`).

*Left out*: step 1, the classifier that lets other prompts through untouched. Here every prompt is
guarded, so compare answers only on prompts that the classifier would have flagged.
"""

from guard.evaluate.paper_guard.config import PaperConfig
from guard.evaluate.paper_guard.generate import Generated, PaperGuard
from guard.evaluate.paper_guard.spans import sensitive_spans

__all__ = ["Generated", "PaperConfig", "PaperGuard", "sensitive_spans"]
