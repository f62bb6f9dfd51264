"""Activations by name: which neurons they let be merged, and how far outputs may move."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import erf, exp, log1p, sqrt, tanh
from types import MappingProxyType

from wqscore.errors import UsageError

#: Above it e^−x is nothing beside 1, and below it e^x is nothing.
_FLAT = 40.0


@dataclass(frozen=True)
class Activation:
    """What an activation σ allows.

    Attributes:
        name: its usual name.
        value: σ of a number.
        lipschitz: the largest slope of σ; of a degree 2, of σ between −1 and 1.
        degree: k where σ(cx) = c^k·σ(x) for c > 0, so that neurons may differ in scale; 0 where there is none.
        is_odd: whether σ(−x) = −σ(x), so that neurons may differ in sign.
    """

    name: str
    value: Callable[[float], float]
    lipschitz: float = 1.0
    degree: int = 0
    is_odd: bool = False

    def slope(self, radius: float) -> float:
        """The largest slope of σ between −radius and radius."""
        return self.lipschitz * (radius ** (self.degree - 1) if self.degree > 1 else 1.0)


def _sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x)) if x > -_FLAT else 0.0


def _softplus(x: float) -> float:
    return x if x > _FLAT else log1p(exp(x))


def _gelu(x: float) -> float:
    return x * (1 + erf(x / sqrt(2))) / 2


def _gelu_tanh(x: float) -> float:
    return x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x**3))) / 2


def _elu(x: float) -> float:
    return x if x > 0 else exp(x) - 1


def _clipped(x: float, low: float, high: float) -> float:
    return min(max(x, low), high)


#: Slopes: the maxima of the derivatives, rounded up.
_KINDS = (
    Activation("relu", lambda x: max(x, 0.0), degree=1),
    Activation("leaky_relu", lambda x: max(x, 0.01 * x), degree=1),
    Activation("linear", lambda x: x, degree=1, is_odd=True),
    Activation("relu2", lambda x: max(x, 0.0) ** 2, lipschitz=2.0, degree=2),
    Activation("tanh", tanh, is_odd=True),
    Activation("softsign", lambda x: x / (1 + abs(x)), is_odd=True),
    Activation("hardtanh", lambda x: _clipped(x, -1, 1), is_odd=True),
    Activation("gelu", _gelu, lipschitz=1.13),
    Activation("gelu_tanh", _gelu_tanh, lipschitz=1.13),
    Activation("quick_gelu", lambda x: x * _sigmoid(1.702 * x), lipschitz=1.1),
    Activation("silu", lambda x: x * _sigmoid(x), lipschitz=1.1),
    Activation("mish", lambda x: x * tanh(_softplus(x)), lipschitz=1.09),
    Activation("sigmoid", _sigmoid, lipschitz=0.25),
    Activation("softplus", _softplus),
    Activation("elu", _elu),
    Activation("selu", lambda x: 1.0507009873554805 * _scaled_elu(x), lipschitz=1.76),
    Activation("relu6", lambda x: _clipped(x, 0, 6)),
    Activation("hardswish", lambda x: x * _clipped(x + 3, 0, 6) / 6, lipschitz=1.5),
    Activation("hardsigmoid", lambda x: _clipped(x + 3, 0, 6) / 6, lipschitz=0.17),
)


def _scaled_elu(x: float) -> float:
    return x if x > 0 else 1.6732632423543772 * (exp(x) - 1)


KNOWN: Mapping[str, Activation] = MappingProxyType({kind.name: kind for kind in _KINDS})
#: What configurations call them otherwise.
_OTHER_NAMES = MappingProxyType(
    {
        **dict.fromkeys(("gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_python_tanh"), "gelu_tanh"),
        **dict.fromkeys(("gelu_accurate", "gelu_tanh_approx", "gelu_approximate", "bloom_gelu"), "gelu_tanh"),
        **dict.fromkeys(("gelu_python", "gelu_erf", "geglu"), "gelu"),
        **dict.fromkeys(("swish", "swiglu", "fast_swiglu"), "silu"),
        **dict.fromkeys(("relu_squared", "squared_relu", "sqrelu", "relu_square"), "relu2"),
        **dict.fromkeys(("identity", "none"), "linear"),
        **{"leakyrelu": "leaky_relu", "leaky": "leaky_relu", "reglu": "relu", "hard_swish": "hardswish"},
        **{"quickgelu": "quick_gelu", "gated-gelu": "gelu_tanh", "gated_gelu": "gelu_tanh", "logistic": "sigmoid"},
    }
)


def find_activation(name: str) -> Activation | None:
    """The activation of a name in a configuration, in any spelling; `None` for one that is not known.

    Example:
        >>> find_activation("gelu_new").name, find_activation("gated-silu").name, find_activation("xielu")
        ('gelu_tanh', 'silu', None)
    """
    plain = name.strip().lower()
    own = KNOWN.get(plain) or KNOWN.get(_OTHER_NAMES.get(plain, ""))
    if own is None and plain.startswith(("gated-", "gated_")):
        return find_activation(plain[len("gated-") :])
    return own


def named_activation(name: str) -> Activation:
    """The activation that a user names.

    Raises:
        UsageError: there is none of that name.
    """
    found = find_activation(name)
    if found is None:
        raise UsageError(f"no such activation: {name!r}: choose from {', '.join(KNOWN)}")
    return found
