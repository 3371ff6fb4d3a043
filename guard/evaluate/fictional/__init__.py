"""A corpus about people and towns that do not exist, of any size, the same for the same seed.

Every fact has six wordings and its answer three, one of each held out: models know them, but of
bystanders alone. Some people are to be forgotten, others are their neighbours, namesakes, or have
only some aspects forgotten, and of as many no model is told; facts about towns are told by
everybody, in several styles.
"""

from guard.evaluate.fictional.corpus import Corpus, Person
from guard.evaluate.fictional.policy import forget_policy
from guard.evaluate.fictional.suite import fictional_suite

__all__ = ["Corpus", "Person", "fictional_suite", "forget_policy"]
