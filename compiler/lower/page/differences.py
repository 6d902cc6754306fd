"""What differs from NumPy and SciPy, function by function, for the page of them all.

What is true of all functions, of dtypes and of results, is on a page of its own.
"""

from __future__ import annotations

__all__ = ["DIFFERENCES"]

_NAMES = {
    "NaN last; which zero is first is open but in a stable sort": "np.sort",
    "stable, whatever `kind` says; NaN last": "np.argsort",
    "whole sorts; NaN last": "np.partition np.argpartition",
    "zeros": "np.empty_like",
    "as many as there are, as `x[mask]` has them": "np.nonzero np.flatnonzero",
    "a condition alone is `np.nonzero`": "np.where",
    "without `dtype`": "np.trace",
    "no function as `mode`": "np.pad",
    "without `weights`": "np.median np.quantile np.percentile np.nanmedian "
    "np.nanquantile np.nanpercentile",
    "NaN between infinite values": "np.interp",
    "counts of traced integers need `minlength`, which is the size then": "np.bincount",
    "without `full`": "np.polyfit",
    "a copy": "np.lib.stride_tricks.sliding_window_view",
    "Python values, while tracing": "np.shape np.ndim np.size np.result_type",
    "residuals as of full rank; computed in float64": "np.linalg.lstsq",
    "computed in float64": "np.linalg.solve np.linalg.inv np.linalg.det "
    "np.linalg.slogdet np.linalg.cholesky np.linalg.qr np.linalg.eigh "
    "np.linalg.eigvalsh np.linalg.svd np.linalg.svdvals np.linalg.pinv "
    "np.linalg.cond np.linalg.matrix_rank np.linalg.tensorsolve np.linalg.tensorinv "
    "scipy.linalg.solve scipy.linalg.inv scipy.linalg.det "
    "scipy.linalg.solve_triangular scipy.linalg.cholesky scipy.linalg.cho_solve "
    "scipy.linalg.svdvals scipy.linalg.eigvalsh scipy.linalg.polar scipy.linalg.lu",
    "computed in float64; signs of vectors as of `np.linalg`": "scipy.linalg.qr "
    "scipy.linalg.svd scipy.linalg.eigh",
    "computed in float64; zeros in the other triangle": "scipy.linalg.cho_factor",
    "computed in float64; square matrices": "scipy.linalg.lu_factor "
    "scipy.linalg.lu_solve",
    "complex always; the first coefficient is not 0": "np.roots",
    "elements inside of an array whose layout is known; nobody writes into it": (
        "np.lib.stride_tricks.as_strided"
    ),
    "of a row in order; for any other, as one with NaN inside, NumPy's answer depends "
    "on the values that it searched before": "np.searchsorted np.digitize",
    "known windows": "scipy.signal.welch scipy.signal.csd scipy.signal.periodogram "
    "scipy.signal.coherence scipy.signal.stft scipy.signal.istft",
    "known windows and sizes": "scipy.signal.resample scipy.signal.resample_poly",
    "without the modes `smooth`, `line`, `antisymmetric`": "scipy.signal.upfirdn",
    "`ftype` is `iir` or `fir`": "scipy.signal.decimate",
    "known windows; `mode` is `psd`": "scipy.signal.spectrogram",
    "without `method='gust'`": "scipy.signal.filtfilt",
    "`rtol` alone": "scipy.linalg.pinv scipy.linalg.pinvh",
    "one matrix": "scipy.linalg.eig scipy.linalg.eigvals",
    "by the whole matrix": "scipy.linalg.solve_toeplitz",
    "along the usual axes": "scipy.linalg.solve_circulant",
    "a known size": "scipy.ndimage.zoom scipy.ndimage.rotate",
    "with `size`, and no `footprint`": "scipy.ndimage.maximum_filter "
    "scipy.ndimage.minimum_filter scipy.ndimage.median_filter",
    "of known knots, `linear` and `nearest`; NaN outside where SciPy raises": (
        "scipy.interpolate.RegularGridInterpolator scipy.interpolate.interpn "
        "scipy.interpolate.RegularGridInterpolator.__call__"
    ),
    "one or two dimensions": "scipy.signal.convolve scipy.ndimage.convolve "
    "scipy.signal.correlate "
    "scipy.ndimage.correlate scipy.ndimage.convolve1d scipy.ndimage.correlate1d "
    "scipy.ndimage.gaussian_filter scipy.ndimage.gaussian_filter1d",
    "one or two dimensions; summed directly": (
        "scipy.signal.fftconvolve scipy.signal.oaconvolve"
    ),
    "metrics `euclidean`, `sqeuclidean`, `cityblock`, `chebyshev`, `minkowski`, "
    "`cosine`, `correlation`, `canberra`, `braycurtis`": "scipy.spatial.distance.cdist "
    "scipy.spatial.distance.pdist",
    "of known values, at traced places": "scipy.interpolate.PPoly.__call__ "
    "scipy.interpolate.BSpline.__call__ scipy.interpolate.interp1d.__call__",
    "of known knots": "scipy.interpolate.CubicSpline "
    "scipy.interpolate.make_interp_spline scipy.interpolate.PchipInterpolator "
    "scipy.interpolate.CubicHermiteSpline",
    "of known knots; NaN outside where SciPy raises": "scipy.interpolate.interp1d",
    "known sparse matrices of any format but `dok`, and `A @ x`": (
        "scipy.sparse.csr_array.dot scipy.sparse.coo_array.dot"
    ),
    "of known samples": "scipy.stats.gaussian_kde.evaluate "
    "scipy.stats.gaussian_kde.pdf scipy.stats.gaussian_kde.logpdf",
    "orders are integers": "scipy.special.eval_hermite scipy.special.eval_hermitenorm "
    "scipy.special.eval_chebyt scipy.special.eval_chebyu scipy.special.eval_legendre "
    "scipy.special.eval_laguerre scipy.special.eval_gegenbauer "
    "scipy.special.eval_genlaguerre scipy.special.eval_jacobi "
    "scipy.special.spherical_jn scipy.special.spherical_yn "
    "scipy.special.spherical_in scipy.special.spherical_kn",
    "of real numbers": "scipy.special.hankel1 scipy.special.hankel2",
    "NaN where SciPy raises": "scipy.stats.dirichlet.logpdf scipy.stats.dirichlet.pdf",
    "NaN where the probabilities do not sum to 1": "scipy.stats.multinomial.logpmf "
    "scipy.stats.multinomial.pmf",
    "the integer is known while tracing": "scipy.special.polygamma",
    "the integer is known while tracing; NaN where SciPy raises": (
        "scipy.special.multigammaln"
    ),
}

DIFFERENCES = {name: what for what, names in _NAMES.items() for name in names.split()}
"""What differs, by the name of the function."""
