"""The encoder: an integer network to the program of an engine."""

import numpy as np

from ..common.check import require
from ..common.parts import pack_descriptors, plain, word_section
from .check import EncodeError, check_lists, check_network
from .config import LENGTH_BITS, SmartExchangeConfig
from .descriptor import DESCRIPTOR_WORDS, Descriptor, Destination, Kind
from .layers import ConvLayer, PointLayer
from .lists import EMPTY, make_lists
from .plan import plan_layers
from .program import Memory, Program

__all__ = ["EncodeError", "encode"]

_LIFT_BITS = 3


def _slice_lists(layer, m, offsets, bounds, whole):
    """Of the slice of rows ``bounds`` of filter ``m`` the lists of each column, in a list of one element.

    With ``whole``, no column has more than one list: rows are halved until then, each part an element.
    """
    start, end = bounds
    columns = [make_lists(layer.signs[m, start:end, j], layer.exponents[m, start:end, j], offsets[start:end])
               for j in range(layer.taps)]
    if not whole or all(len(lists) == 1 for lists in columns):
        return [columns]
    middle = start + (end - start) // 2
    return [part for half in ((start, middle), (middle, end))
            for part in _slice_lists(layer, m, offsets, half, whole)]


def _filter_lists(layer, m, offsets, whole):
    """Pairs (ItemList, row of the basis) of filter ``m``, slice after slice, column after column."""
    found = []
    for k, bounds in enumerate(zip(layer.bounds, layer.bounds[1:], strict=False)):
        for columns in _slice_lists(layer, m, offsets, bounds, whole):
            for j, lists in enumerate(columns):
                basis = layer.basis[m, k, j].tolist() if lists != [EMPTY] else [0] * layer.taps
                found += [(one, basis) for one in lists]
    return found


def _layer_lists(layer, offsets, count, whole):
    """The same of ``count`` filters, those of the layer and empty ones: lists of equal length."""
    filters = [_filter_lists(layer, m, offsets, whole) for m in range(layer.filters)]
    filters += [[] for _ in range(count - layer.filters)]
    most, empty = max(map(len, filters)), (EMPTY, [0] * layer.taps)
    return [lists + [empty] * (most - len(lists)) for lists in filters]


def _basis_word(one, basis):
    word = len(one.items) | one.lift << LENGTH_BITS
    for s, value in enumerate(basis):
        word |= (value & 255) << LENGTH_BITS + _LIFT_BITS + 8 * s
    return word


def _kind(layer):
    if isinstance(layer, ConvLayer):
        return "depthwise" if layer.depthwise else "conv"
    return "point" if isinstance(layer, PointLayer) else "dense"


class _Encoder:
    """What grows while the layers are encoded one after the other."""

    def __init__(self, network, config):
        self.network, self.config, self.layers = network, config, network.layers
        self.shapes = check_network(network, config)
        self.plans = plan_layers(self.layers, network.input_shape, self.shapes, config)
        self.items, self.basis, self.scales, self.about = [], [], [], []
        self.param_base = DESCRIPTOR_WORDS * (len(self.layers) + 2)

    def _input(self):
        plan = self.plans[0]
        return dict(kind=Kind.INPUT, m_count=plan.channels, i_count=plan.input_block[0],
                    j_count=plan.input_block[1], pi_count=1, pj_count=1, **plan.written)

    def _filters(self, n):
        """Filters of layer ``n``, as many as the next one has channels."""
        layer = self.layers[n]
        if n + 1 == len(self.layers):
            return layer.filters
        count = self.plans[n + 1].channels
        require(count == layer.filters or layer.low <= 0 <= layer.high,
                f"Outputs of layer '{layer.name}' must include 0, as layer '{self.layers[n + 1].name}' reads "
                f"{count - layer.filters} channels of zeros besides, not {layer.low} .. {layer.high}")
        return count

    def _check(self, layer, filters, low, high):
        if not self.config.rebuild:
            lists = [one for lists in filters for one, _ in lists]
            check_lists(layer.name, lists, low, high, self.config)
            return
        bases = len(filters[0]) // layer.taps
        require(bases <= self.config.filter_bases,
                f"Slices of rows of layer '{layer.name}', none with a column of more than 511 items, must be "
                f"at most {self.config.filter_bases}, the engine's filter_bases, not {bases}")

    def _layer(self, n):
        layer, plan, count = self.layers[n], self.plans[n], self._filters(n)
        filters = _layer_lists(layer, plan.offsets(layer), count, self.config.rebuild)
        self._check(layer, filters, *(
            (self.layers[n - 1].low, self.layers[n - 1].high) if n else self.network.input_range))
        pool = layer.pool if layer.convolution else (1, 1)
        last = n + 1 == len(self.layers)
        fields = dict(
            kind=Kind.CONV, input_signed=bool(layer.input_signed), low=int(layer.low), high=int(layer.high),
            param_base=self.param_base + len(self.scales), m_count=count, i_count=plan.block[0],
            j_count=plan.block[1], pi_count=pool[0], pj_count=pool[1], lists=len(filters[0]),
            item_base=len(self.items), basis_base=len(self.basis), index_base=plan.base,
            **plan.strides(layer), **plan.runs.fields, **plan.inside,
            **(dict(destination=Destination.STREAM) if last else self.plans[n + 1].written))
        self.scales += self.config.scales.words(layer) + [0] * (count - layer.filters)
        items = [item for lists in filters for one, _ in lists for item in one.items]
        self.items += items
        self.basis += [_basis_word(*pair) for lists in filters for pair in lists]
        self.about.append({
            "name": layer.name, "kind": _kind(layer), "outputs": int(layer.filters),
            "positions": int(np.prod(plan.size)) * self.config.batch,
            "weights": int(layer.integer_weights().size), "coefficients": int(layer.signs.size),
            "non_zeros": int(np.count_nonzero(layer.signs)), "items": len(items), "lists": len(filters[0])})
        return fields

    def _metadata(self):
        network, plans = self.network, self.plans
        return {"input_shape": plain(network.input_shape), "input_scale": float(network.input_scale),
                "input_signed": bool(self.layers[0].input_signed), "input_bits": int(network.input_bits),
                "input_block": plain(plans[0].input_block), "input_channels": int(plans[0].channels),
                "output_shape": plain(self.shapes[-1]), "output_scale": float(network.output_scale),
                "output_block": plain(plans[-1].block), "images": int(self.config.batch),
                "layers": self.about}

    def program(self):
        config = self.config
        table = pack_descriptors(Descriptor, config, [("the input", self._input())] + [
            (f"layer '{layer.name}'", self._layer(n)) for n, layer in enumerate(self.layers)])
        table += self.scales
        for what, unit, needed, depth in (("Item", "items", len(self.items), config.item_depth),
                                          ("Basis", "words", len(self.basis), config.basis_depth)):
            require(needed <= depth, f"{what} memory must have {needed} {unit}, not {depth}")
        require(len(table) <= config.table_depth,
                f"Table must have {len(table)} words, not {config.table_depth}")
        pairs = zip(*[iter([*self.items, 0])] * 2, strict=False)
        items = [first | second << 16 for first, second in pairs]
        return Program(config, (word_section(Memory.TABLE, table, config),
                                word_section(Memory.ITEMS, items, config),
                                word_section(Memory.BASIS, self.basis, config)), self._metadata())


def encode(network, config):
    """The Program of ``network``, a SmartExchangeNetwork, for an engine of ``config``.

    Raises EncodeError (a ValueError), a sentence that names the layer, what is needed and what is available,
    where the network does not fit the engine, or is one of another.
    """
    require(isinstance(config, SmartExchangeConfig),
            f"Configuration must be a SmartExchangeConfig, not a {type(config).__name__}")
    return _Encoder(network, config).program()
