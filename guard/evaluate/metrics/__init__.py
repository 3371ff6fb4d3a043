"""Measures of forgetting and keeping, one file each; every result names its variant.

Pure functions of losses, texts and times: they know no model and no server. Definitions that differ
between publications are separate variants, see each file.
"""

from guard.evaluate.metrics.bounds import Interval, clustered_mean, upper_bound
from guard.evaluate.metrics.disclosing import Disclosure, Observed, list_inference
from guard.evaluate.metrics.dragon import (
    deviation_score,
    dynamic_deviation,
    dynamic_utility,
    refusal_quality,
)
from guard.evaluate.metrics.forget_quality import ForgetQuality, forget_quality
from guard.evaluate.metrics.measured import Measured, not_defined
from guard.evaluate.metrics.memorisation import exact_memorisation, extraction_strength
from guard.evaluate.metrics.model_utility import model_utility
from guard.evaluate.metrics.probability import normalised_probability, probability
from guard.evaluate.metrics.refusing import benign_identity, is_refusal, over_refusal
from guard.evaluate.metrics.rouge import Rouge, rouge_l
from guard.evaluate.metrics.truth_ratio import (
    forget_truth_ratio,
    probability_mean,
    retain_truth_ratio,
    truth_ratios,
)

__all__ = [
    "Disclosure",
    "ForgetQuality",
    "Interval",
    "Measured",
    "Observed",
    "Rouge",
    "benign_identity",
    "clustered_mean",
    "deviation_score",
    "dynamic_deviation",
    "dynamic_utility",
    "exact_memorisation",
    "extraction_strength",
    "forget_quality",
    "forget_truth_ratio",
    "is_refusal",
    "list_inference",
    "model_utility",
    "normalised_probability",
    "not_defined",
    "over_refusal",
    "probability",
    "probability_mean",
    "refusal_quality",
    "retain_truth_ratio",
    "rouge_l",
    "truth_ratios",
    "upper_bound",
]
