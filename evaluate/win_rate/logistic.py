"""Logistic regression with probabilities as labels and a weight a row, penalised by squares or by absolute values."""

from typing import Any

Array = Any

NEWTON_STEPS, SETTLED = 25, 1e-9
"""Before the general method is taken; and the change of every coefficient, in logits, that ends Newton's."""
PRIOR_DEVIATION = 5.0
"""Of a coefficient, in logits, where there is no better knowledge: a wall far off, so that separable data has a fit."""


def fit_ridge(
    matrix: Array, labels: Array, weights: Array, *, deviation: float = PRIOR_DEVIATION, start: Array | None = None
) -> Array:
    """Return the most probable coefficients, without intercept, under independent normal priors around 0.

    Args:
        matrix: Shape (rows, columns), dense or scipy-sparse.
        labels: Probabilities, shape (rows,).
        weights: At least 0, shape (rows,); a row of weight 2 counts as two.
        deviation: Of the priors.
        start: Where to begin, shape (columns,).
    """
    import numpy as np

    def loss(x: Array) -> tuple[float, Array]:
        value, slope = _loss(x, matrix, labels, weights)
        return value + (x @ x) / (2 * deviation**2), slope + x / deviation**2

    begin = np.zeros(matrix.shape[1]) if start is None else start
    found = _newton(matrix, labels, weights, deviation, begin) if isinstance(matrix, np.ndarray) else None
    return _minimise(loss, begin, float(weights.sum())) if found is None else found


def _newton(matrix: Array, labels: Array, weights: Array, deviation: float, x: Array) -> Array | None:
    """Fit by Newton's method, for resampling many times quicker than a general one; None where it doesn't settle."""
    import numpy as np
    from scipy.special import expit

    prior = np.eye(len(x)) / deviation**2
    for _ in range(NEWTON_STEPS):
        shares = expit(matrix @ x)
        slope = matrix.T @ (weights * (shares - labels)) + x / deviation**2
        step = np.linalg.solve((matrix.T * (weights * shares * (1 - shares))) @ matrix + prior, slope)
        x = x - step
        if np.abs(step).max() < SETTLED:
            return x
    return None


def fit_lasso(matrix: Array, labels: Array, weights: Array, *, strength: float) -> Array:
    """Return the coefficients, without intercept, that minimise strength * loss + their absolute sum.

    What scikit-learn's `LogisticRegression(penalty="l1", C=strength, fit_intercept=False)` minimises. Each coefficient
    is split into its positive and its negative part, so that a smooth method with bounds finds the exact zeros.

    Args:
        matrix: Shape (rows, columns).
        labels: Probabilities, shape (rows,).
        weights: At least 0, shape (rows,).
        strength: scikit-learn's C, above 0.
    """
    import numpy as np

    columns = matrix.shape[1]

    def loss(x: Array) -> tuple[float, Array]:
        value, slope = _loss(x[:columns] - x[columns:], matrix, labels, weights)
        return value + x.sum() / strength, np.concatenate([slope, -slope]) + 1 / strength

    found = _minimise(loss, np.zeros(2 * columns), float(weights.sum()), lower=0.0)
    return found[:columns] - found[columns:]


def log_loss(logits: Array, labels: Array) -> Array:
    """Return -y log p - (1 - y) log(1 - p) of each row, in nats."""
    import numpy as np

    return np.logaddexp(0.0, logits) - labels * logits


def _loss(x: Array, matrix: Array, labels: Array, weights: Array) -> tuple[float, Array]:
    from scipy.special import expit

    logits = matrix @ x
    return float(weights @ log_loss(logits, labels)), matrix.T @ (weights * (expit(logits) - labels))


def _minimise(loss: Any, start: Array, scale: float, lower: float | None = None) -> Array:
    from scipy.optimize import minimize

    def scaled(x: Array) -> tuple[float, Array]:
        value, slope = loss(x)
        return value / scale, slope / scale

    bounds = None if lower is None else [(lower, None)] * len(start)
    options = {"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-8, "maxfun": 20_000}
    return minimize(scaled, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
