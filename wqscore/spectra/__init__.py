"""From a weight matrix to its empirical spectral density: the eigenvalues of WᵀW."""
