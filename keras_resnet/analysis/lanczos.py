"""The spectrum of a large symmetric operator by stochastic Lanczos quadrature (Ubaru, Chen, Saad 2017)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse.linalg import LinearOperator


@dataclass(frozen=True)
class Spectrum:
    """A distribution of eigenvalues: ``nodes`` ``[n]`` in ascending order, with ``weights`` ``[n]`` that sum to one."""

    nodes: np.ndarray
    weights: np.ndarray

    def density(self, grid: np.ndarray, width: float) -> np.ndarray:
        """The density at the points of ``grid`` ``[m]``, smoothed by a Gaussian of standard deviation ``width``."""
        distance = (np.asarray(grid)[:, None] - self.nodes) / width
        return np.exp(-0.5 * distance**2) @ self.weights / (width * np.sqrt(2 * np.pi))

    def below(self, value: float | np.ndarray) -> np.ndarray:
        """The fraction of eigenvalues that are at most ``value``, a number or ``[m]``: ``[m]``."""
        return (self.nodes[:, None] <= np.atleast_1d(value)).T @ self.weights

    def quantile(self, share: float) -> float:
        """The smallest node such that at least the fraction ``share`` of all eigenvalues does not exceed it."""
        index = np.searchsorted(np.cumsum(self.weights), share - 1e-12)
        return float(self.nodes[min(int(index), len(self.nodes) - 1)])

    def moment(self, power: int) -> float:
        """The mean of the eigenvalues raised to ``power``; ``moment(1)`` times the dimension is the trace."""
        return float(self.weights @ self.nodes**power)


def pooled(spectra: Sequence[Spectrum]) -> Spectrum:
    """The distribution of the eigenvalues of several operators of one dimension together."""
    nodes = np.concatenate([one.nodes for one in spectra])
    weights = np.concatenate([one.weights for one in spectra]) / len(spectra)
    order = np.argsort(nodes)
    return Spectrum(nodes[order], weights[order])


def spectrum(operator: LinearOperator, steps: int = 30, probes: int = 4, seed: int = 0) -> Spectrum:
    """The distribution of the eigenvalues of a symmetric ``operator``.

    Args:
        operator: a symmetric operator of any dimension.
        steps: steps of Lanczos' method per probe, each with one product. They use full reorthogonalization, so that no
            eigenvalue occurs twice.
        probes: number of random start vectors, with independent normal entries, whose quadratures are averaged.
        seed: of the start vectors.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(probes):
        diagonal, off = _lanczos(operator, rng.normal(size=operator.shape[0]), min(steps, operator.shape[0]))
        values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(off, 1) + np.diag(off, -1))
        parts.append(Spectrum(values, vectors[0] ** 2))
    return pooled(parts)


def _lanczos(operator, start, steps):
    """Diagonal and off-diagonal of the tridiagonal matrix of Lanczos' method from ``start``."""
    basis = np.zeros((steps, len(start)))
    basis[0] = start / np.linalg.norm(start)
    diagonal, off = [], []
    for step in range(steps):
        product = operator.matvec(basis[step])
        diagonal.append(basis[step] @ product)
        for _ in range(2):  # one orthogonalization is not enough in floating point
            product = product - basis[: step + 1].T @ (basis[: step + 1] @ product)
        size = np.linalg.norm(product)
        if step + 1 == steps or size <= 1e-6 * max(map(abs, diagonal)):  # the basis spans an invariant subspace
            break
        off.append(size)
        basis[step + 1] = product / size
    return np.array(diagonal), np.array(off)
