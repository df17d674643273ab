"""The beginning of a scaling law: held-out loss with its error, and a power law with its uncertainty.

Slide "GPT-3": "Scale GPT-2 further". The law is that of Kaplan et al. (2020), L(N) = (N_c / N) ^ alpha.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


def block_losses(model, blocks: Tensor, batch_size: int = 8) -> np.ndarray:
    """Compute the language-modelling loss of each block, so that their spread gives the error of the mean.

    Args:
        model: a `transformers` causal language model.
        blocks: token ids (blocks, time).
        batch_size: blocks a step.

    Returns:
        Mean negative log-likelihood of a block's tokens but the first, in nats a token (blocks,).
    """
    import torch
    import torch.nn.functional as F

    losses = []
    with torch.inference_mode():
        for ids in blocks.split(batch_size):
            ids = ids.to(model.device)
            whole = torch.ones_like(ids)  # nothing is padding, though end-of-text and padding share an id
            logits = model(input_ids=ids, attention_mask=whole).logits[:, :-1].float()
            nll = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
            losses.append(nll.view(len(ids), -1).mean(1).cpu())
    return torch.cat(losses).numpy().astype(float)


@dataclass(frozen=True)
class PowerLaw:
    """A line through (log size, log loss): `log L = height - alpha (log N - centre)`.

    Args:
        alpha: exponent: ten times the size divides the loss by 10 ^ alpha.
        height: log of the loss at the centre.
        centre: mean log size of the points.
        covariance: of (height, alpha), (2, 2).
        freedom: number of points beyond the two that any line needs.
    """

    alpha: float
    height: float
    centre: float
    covariance: np.ndarray
    freedom: int

    def __call__(self, sizes) -> np.ndarray:
        """Return the loss that the law gives for each size (sizes,)."""
        return np.exp(self.height - self.alpha * (np.log(sizes) - self.centre))

    def quantile(self, level: float = 0.95) -> float:
        """Return how many standard errors make an interval: Student's t, 12.7 at one degree of freedom."""
        from scipy.stats import t

        return float(t.ppf((1 + level) / 2, self.freedom))

    def alpha_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the lower and upper end of the confidence interval of the exponent."""
        half = self.quantile(level) * float(np.sqrt(self.covariance[1, 1]))
        return self.alpha - half, self.alpha + half

    def interval(self, sizes, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Return the lower and upper end of the confidence band of the law, each (sizes,)."""
        slope = np.stack([np.ones_like(sizes, dtype=float), self.centre - np.log(sizes)])
        half = self.quantile(level) * np.sqrt(np.einsum("in,ij,jn->n", slope, self.covariance, slope))
        return self(sizes) * np.exp(-half), self(sizes) * np.exp(half)


def fit_power_law(sizes, losses, errors) -> PowerLaw:
    """Fit a power law by weighted least squares in the logarithms.

    The covariance is that of the measurement errors, widened where the points scatter about the line by more
    than those errors explain (the scale factor of the Particle Data Group).

    Args:
        sizes: numbers of parameters (points,).
        losses: held-out losses (points,).
        errors: standard errors of the losses (points,).

    Raises:
        ValueError: fewer than three different sizes, or a number that is not positive.
    """
    from scipy.optimize import curve_fit

    sizes, losses, errors = (np.asarray(values, dtype=float) for values in (sizes, losses, errors))
    if len(set(sizes)) < 3:
        raise ValueError(f"{len(set(sizes))} sizes: any two lie on a power law, so it takes at least three.")
    if min(sizes.min(), losses.min(), errors.min()) <= 0:
        raise ValueError("sizes, losses and errors must be positive, for the fit takes their logarithms.")
    centre = float(np.log(sizes).mean())
    x, y, sigma = np.log(sizes) - centre, np.log(losses), errors / losses

    def line(x, height, alpha):
        return height - alpha * x

    (height, alpha), covariance = curve_fit(line, x, y, p0=(y.mean(), 0.1), sigma=sigma, absolute_sigma=True)
    freedom = len(sizes) - 2
    chi2 = float((((y - line(x, height, alpha)) / sigma) ** 2).sum())
    return PowerLaw(float(alpha), float(height), centre, covariance * max(1.0, chi2 / freedom), freedom)
