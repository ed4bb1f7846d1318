"""Quadrature against matrices whose spectrum is known."""

import numpy as np
import pytest
from scipy.sparse.linalg import aslinearoperator

from keras_resnet.analysis.lanczos import spectrum


def test_few_steps_find_the_ends_and_many_the_whole_spectrum(rng):
    values = np.sort(np.concatenate([rng.normal(size=57), [-20.0, 8.0, 30.0]]))
    basis = np.linalg.qr(rng.normal(size=(60, 60)))[0]
    operator = aslinearoperator(basis @ np.diag(values) @ basis.T)
    distribution = spectrum(operator, steps=15, probes=2)
    np.testing.assert_allclose([distribution.nodes[0], distribution.nodes[-1]], values[[0, -1]], rtol=1e-6)
    whole = spectrum(operator, steps=60, probes=1)
    np.testing.assert_allclose(whole.nodes, values, atol=1e-6)  # each once: reorthogonalization works


def test_repeated_eigenvalues_end_a_probe_early():
    """A multiple of the identity has one eigenvalue; the basis cannot grow beyond one vector."""
    distribution = spectrum(aslinearoperator(3 * np.eye(10)), steps=5, probes=2)
    np.testing.assert_allclose(distribution.nodes, 3)
    assert (distribution.moment(2), distribution.quantile(0.5)) == (pytest.approx(9), pytest.approx(3))


@pytest.mark.long
def test_shares_and_quantiles(rng):
    values = np.arange(1.0, 101)
    distribution = spectrum(aslinearoperator(np.diag(values)), steps=100, probes=40)
    assert distribution.below(50)[0] == pytest.approx(0.5, abs=0.05)
    assert distribution.quantile(0.9) == pytest.approx(90, abs=4)
    assert distribution.moment(1) == pytest.approx(values.mean(), rel=0.05)
