"""Evidence for one forget request: asked in many ways, what leaked, with an upper bound."""

from guard.evaluate.certificate.asking import Certificate, Finding, certify
from guard.evaluate.certificate.leaks import leak_of
from guard.evaluate.certificate.probes import GENERATOR, Probing, probes_of
from guard.evaluate.certificate.writing import certificate_data, certificate_page, verdict

__all__ = [
    "GENERATOR",
    "Certificate",
    "Finding",
    "Probing",
    "certificate_data",
    "certificate_page",
    "certify",
    "leak_of",
    "probes_of",
    "verdict",
]
