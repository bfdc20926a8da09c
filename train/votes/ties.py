"""Two models of preference that know ties, as functions of the margin d = beta * (difference of two log-ratios).

With strengths e^(d/2) and e^(-d/2), Bradley-Terry's P(win) = sigma(d) becomes

    Davidson (1970, JASA 65, 317-328)            P(win) = e^(d/2) / Z, P(tie) = 2 nu / Z, P(loss) = e^(-d/2) / Z,
                                                 Z = e^(d/2) + e^(-d/2) + 2 nu
    Rao and Kupper (1967, JASA 62, 194-204)      P(win) = sigma(d - log nu), P(loss) = sigma(-d - log nu),
                                                 P(tie) = (nu^2 - 1) P(win) P(loss)

as DPO-D and DPO-RK take them (Chen et al. 2024, arXiv 2409.17431). Each has one parameter, and here both are told by
the probability t that two equally good answers tie: nu = t / (1 - t) for Davidson, (1 + t) / (1 - t) for Rao and
Kupper. As t goes to 0, both become Bradley-Terry; t = 0.5 is the paper's nu of 1 and 3.
"""

from math import log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def davidson(margin: "Tensor", tie_probability: float) -> tuple["Tensor", "Tensor", "Tensor"]:
    """Return the log-probabilities of win, tie and loss by margin."""
    import torch

    half, even = margin / 2, torch.full_like(margin, log(2 * tie_probability / (1 - tie_probability)))
    total = torch.logsumexp(torch.stack([half, -half, even]), dim=0)
    return half - total, even - total, -half - total


def rao_kupper(margin: "Tensor", tie_probability: float) -> tuple["Tensor", "Tensor", "Tensor"]:
    """Return the log-probabilities of win, tie and loss by margin."""
    from torch.nn.functional import logsigmoid

    nu = (1 + tie_probability) / (1 - tie_probability)
    win, loss = logsigmoid(margin - log(nu)), logsigmoid(-margin - log(nu))
    return win, log(nu * nu - 1) + win + loss, loss
