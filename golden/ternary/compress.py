"""Float weights to ternary ones: the TWN rule, retraining straight through it or by ADMM.

Of one filter (or one layer) of n weights W:

    t_i = sign(W_i) if |W_i| > Delta else 0        alpha = mean of |W_i| over t_i != 0
    Delta = factor * mean(|W|)                     (the TWN rule, factor 0.7; 42 % zeros for Gaussian weights)
    Delta = the ceil(zero_share * n)-th smallest |W_i|       (for a wanted share of zeros)

The comparison is strict, so ties at Delta become zero and the share of zeros is at least the wanted one.
"""

from dataclasses import dataclass, replace

import numpy as np
from shiftwork.golden.common.admm import AdmmSettings, Schedule, admm
from shiftwork.golden.common.channels import turned, weighted
from shiftwork.golden.common.projection import check_names, on_filters, projected
from shiftwork.golden.common.trainer import Hooks, train

from .lower import lower

__all__ = ["TernaryRule", "ternarize", "ternarize_in_steps", "zero_shares", "lower"]


@dataclass(frozen=True, kw_only=True)
class TernaryRule:
    """How a weight array becomes alpha * t."""

    factor: float = 0.7                #: Delta / mean(|W|), where zero_share is None
    zero_share: float | None = None    #: least share of zeros
    per_filter: bool = True            #: Delta and alpha of each filter, not of the layer

    def __post_init__(self):
        if not self.factor >= 0:
            raise ValueError(f"factor must be at least 0, not {self.factor}")
        if self.zero_share is not None and not 0 <= self.zero_share < 1:
            raise ValueError(f"zero_share must be at least 0 and less than 1, not {self.zero_share}")

    def parts(self, weights):
        """Ternary weights (int8, as ``weights`` (M, ...)) and alpha (M,), 0 where no weight is kept."""
        magnitude = np.abs(weights).reshape(len(weights) if self.per_filter else 1, -1)
        if self.zero_share is None:
            delta = self.factor * magnitude.mean(axis=1, keepdims=True)
        else:
            # 1e-9: a share like 0.55 has no exact float, and 0.55 * 20 shall be 11.
            zeros = int(np.ceil(self.zero_share * magnitude.shape[1] - 1e-9))
            delta = np.partition(magnitude, zeros - 1, axis=1)[:, zeros - 1:zeros] if zeros else \
                np.full((len(magnitude), 1), -1.0)
        kept = magnitude > delta
        alpha = (magnitude * kept).sum(axis=1) / np.maximum(kept.sum(axis=1), 1)
        signs = np.sign(weights).astype(np.int8) * kept.reshape(weights.shape)
        return signs, np.broadcast_to(alpha, len(weights)).astype(weights.dtype)

    def project(self, weights):
        """alpha * t; for a given zero share, the nearest such array in the sense of least squares."""
        signs, alpha = self.parts(weights)
        return signs * alpha.reshape((-1,) + (1,) * (weights.ndim - 1))


def zero_shares(network):
    """Share of zero weights of each Conv and Gemm, by the node's name."""
    return {node.name: float(np.mean(network.arrays[node.inputs[1]] == 0)) for node in weighted(network)}


def _steps(network):
    """8-bit rounding of the activations that Conv and Gemm nodes read: {name: (step, least, most)}."""
    found = {}
    for node in weighted(network):
        low, high = network.ranges[node.inputs[0]]
        found[node.inputs[0]] = (high / 127, -128, 127) if low < 0 else (high / 255, 0, 255)
    return found


def _keep_zeros(mask):
    """Projection to alpha * t with t zero exactly where ``mask`` is."""
    kept = np.maximum(mask.reshape(len(mask), -1).sum(axis=1), 1)

    def project(weights):
        alpha = np.abs(weights * mask).reshape(len(mask), -1).sum(axis=1) / kept
        signs = np.where(weights < 0, -mask, mask)
        return (signs * alpha.reshape((-1,) + (1,) * (weights.ndim - 1))).astype(weights.dtype)
    return project


def _masked(nodes, masks):
    """Projections that keep the zeros of ``masks``, of each node's weights."""
    found = {}
    for node in nodes:
        mask = masks[node.inputs[1]]
        found[node.inputs[1]] = on_filters(_keep_zeros(mask.T if turned(node) else mask), node)
    return found


def ternarize(network, x, labels, settings, *, rule=None, rules=None, method="straight-through",
              quantize=False, admm_settings=None, progress=None):
    """``network`` retrained so that every Conv and Gemm weight array is alpha * t.

    ``method`` is "straight-through" (each step computes with the projected weights, the gradient goes to the
    float ones) or "admm" (ADMM towards the projection, its zeros then masked, and signs and alpha retrained
    straight through); ``settings`` are those of the straight-through training. ``rules`` overrides ``rule``
    for single layers, by the node's name. ``quantize`` rounds activations to 8 bits while training. The
    result has batch statistics and ``ranges`` measured on ``x``. Raises ValueError for an unknown method or
    layer.
    """
    if method not in ("straight-through", "admm"):
        raise ValueError(f"method must be 'straight-through' or 'admm', not {method!r}")
    nodes = weighted(network)
    rules = {**{node.name: rule or TernaryRule() for node in nodes}, **(rules or {})}
    check_names("rules", rules, nodes)
    project = {node.inputs[1]: on_filters(rules[node.name].project, node) for node in nodes}
    masks = {}
    if method == "admm":
        network, masks = admm(network, x, labels, project, admm_settings or AdmmSettings(), progress=progress)
        project = _masked(nodes, masks)

    steps = _steps(projected(network, project, x)) if quantize else {}
    hooks = Hooks(project=project, masks=masks, quantize=steps)
    return projected(train(network, x, labels, settings, hooks, progress), project, x)


def ternarize_in_steps(network, x, labels, settings, *, schedule=None, rules=None, moving=None,
                       progress=None):
    """``network`` made ternary by progressive ADMM (``schedule``), then retrained straight through its masks.

    Each step's Z-step is ``TernaryRule(zero_share=share).project``, of each filter; ``rules`` overrides it
    for single layers, in all steps, by the node's name. With ``moving`` (Settings) the weights behind the
    last step are first trained straight through its projection, without masks: as many zeros, but they may
    move, and the masks are those of its end. ``settings`` are those of the last training: zeros stay; signs,
    alpha, biases and batch normalization are trained. Returns and raises as ``ternarize``.
    """
    schedule, rules, nodes, masks = schedule or Schedule(), rules or {}, weighted(network), None
    check_names("rules", rules, nodes)
    for number, (share, rho) in enumerate(zip(schedule.shares, schedule.rhos, strict=True)):
        rule = TernaryRule(zero_share=share)
        project = {node.inputs[1]: on_filters(rules.get(node.name, rule).project, node) for node in nodes}
        retrain = replace(schedule.retrain, seed=schedule.retrain.seed + number)
        # Retraining parts the magnitudes, which the projection made equal: the next step has to order them.
        network, masks = admm(network, x, labels, project, _numbered(schedule.settings, rho, number),
                              masks=masks, retrain=retrain, progress=progress)
    if moving:
        network = train(network, x, labels, moving, Hooks(project=project), progress)
        masks = {name: (function(network.arrays[name]) != 0).astype(np.float32)
                 for name, function in project.items()}
    project = _masked(nodes, masks)
    network = train(network, x, labels, settings, Hooks(project=project, masks=masks), progress)
    return projected(network, project, x)


def _numbered(settings, rho, number):
    """Settings of step ``number``: its rho, and seeds that no other step has."""
    seed = settings.train.seed + 1000 * (number + 1)
    return replace(settings, rho=rho, train=replace(settings.train, seed=seed))
