"""Which layers a network has for the training engine, and where everything lies in its memories."""

from dataclasses import dataclass
from math import prod

from shiftwork.golden.common.layers import conv_geometry

from .engine_config import LABELS, MOST_CLASSES
from .operations import check_terms
from .tiles import kernel_shape

__all__ = ["MODES", "STRIDES", "Layer", "Plan", "layers"]

MODES = ("wide", "fixed", "dynamic")
"""Errors behind products in 16 bits (or flagged), all other operands in 8; all in 8; all in as many bits as
their tiles have, learned."""

STRIDES = (1, 2, 4)
"""Of convolutions: the matrix unit divides by shifting."""


def _require(condition, node, what, found):
    if not condition:
        raise ValueError(f"node '{node.name}' must {what}, not {found}")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A convolution, or a Gemm as the convolution with its whole map as the kernel; what follows it.

    ``norm`` is the node of its batch normalization, None of the last layer; maps are (rows, columns).
    """

    node: object
    norm: object
    weight: tuple[int, int, int, int]   #: filters, channels, kernel rows, kernel columns
    in_map: tuple[int, int]
    out_map: tuple[int, int]
    stride: int = 1
    pads: tuple[int, int] = (0, 0)      #: top, left
    pooled: bool = False

    @property
    def end_map(self):
        """The map of what the next layer reads."""
        rows, columns = self.out_map
        return (rows >> 1, columns >> 1) if self.pooled else self.out_map


def _followers(network):
    """{tensor: node that reads it}; raises ValueError where it is not one."""
    found = {}
    for node in network.nodes:
        _require(node.op_type != "Add", node, "have one input on the training engine", "be an Add")
        if node.sources[0] in found:
            raise ValueError(f"node '{node.name}' must be the only one that reads '{node.sources[0]}', not "
                             f"a second one")
        found[node.sources[0]] = node
    return found


def layers(network):
    """The Layers of ``network`` (common.network.Network), in order.

        (Conv | Flatten, Gemm), BatchNormalization, Relu, MaxPool 2 by 2 or none;  ..  Flatten, Gemm with bias

    Raises ValueError with a sentence that names the node, what it must be for the engine and what it is.
    """
    followers, found, name = _followers(network), [], network.input_name
    while name != network.output_name:
        node = followers[name]
        name = node.outputs[0]
        if node.op_type == "Flatten":
            continue
        _require(node.op_type in ("Conv", "Gemm"), node, "be a Conv, Gemm or Flatten", node.op_type)
        last = name == network.output_name
        norm, pool = None, None
        if not last:
            norm, relu = followers[name], followers.get(followers[name].outputs[0], followers[name])
            _require(norm.op_type == "BatchNormalization", norm,
                     f"be the BatchNormalization of '{node.name}'", norm.op_type)
            _require(relu.op_type == "Relu", relu, f"be the Relu of '{norm.name}'", relu.op_type)
            name = relu.outputs[0]
            if name in followers and followers[name].op_type == "MaxPool":
                pool = followers[name]
                name = pool.outputs[0]
                window = pool.attributes["kernel_shape"], pool.attributes.get("strides", (1, 1))
                _require(window == ((2, 2), (2, 2)), pool, "have windows of 2 by 2 and stride 2",
                         f"{window[0]} and {window[1]}")
        _require(len(node.inputs) == (3 if last else 2), node,
                 "have a bias" if last else "have no bias before a BatchNormalization",
                 f"{len(node.inputs)} inputs")
        found.append(_layer(network, node, norm, pool is not None))
        if last:
            classes = found[-1].weight[0]
            _require(classes <= MOST_CLASSES, node, f"have at most {MOST_CLASSES} outputs", classes)
    return tuple(found)


def _layer(network, node, norm, pooled):
    weight = kernel_shape(network, node)
    if node.op_type == "Gemm":
        return Layer(node=node, norm=norm, weight=weight, in_map=weight[2:], out_map=(1, 1), pooled=pooled)
    (down, right), pads = conv_geometry(node)
    _require(down == right, node, "have the same stride down and right", f"{down} and {right}")
    _require(down in STRIDES, node, f"have a stride of {', '.join(map(str, STRIDES))}", down)
    return Layer(node=node, norm=norm, weight=weight, in_map=network.shapes[node.sources[0]][1:],
                 out_map=network.shapes[node.outputs[0]][1:], stride=down, pads=pads[:2], pooled=pooled)


class Plan:
    """Places of the tensors of ``net`` (IntegerNetwork) in an engine of ``config`` (EngineConfig).

    ``fields[n]`` are the integers that the firmware has of layer n: {name: value}. Raises ValueError with
    one sentence where the engine cannot run the network, or a memory is too small.
    """

    def __init__(self, net, config, batch, mode):
        self.net, self.config, self.batch, self.mode = net, config, batch, mode
        side, block = config.side, config.block
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, not {mode!r}")
        if batch < 1 or batch % block:
            raise ValueError(f"batch must be a multiple of {block}, twice the engine's side, not {batch}")
        if batch > LABELS:
            raise ValueError(f"batch must be at most {LABELS}, not {batch}")
        for name, found, must in (("random_lanes", net.config.random_lanes, side),
                                  ("block", net.config.block, block),
                                  ("normal_bits", net.config.normal_bits, 16),
                                  ("normal_fraction", net.config.normal_fraction, 12)):
            if found != must:
                raise ValueError(f"{name} must be {must} for an engine of side {side}, not {found}")
        check_terms(net.network, batch)
        self.layers, self.groups, self.wide = layers(net.network), batch // block, mode == "wide"
        self.flagged = self.wide and net.config.error_bits == 8
        self.fields = [{} for _ in self.layers]
        self.records = self.weight_tiles = 0
        self._geometry()
        self._weights()
        self._memories()

    def blocks(self, count):
        """Tiles that so many channels take."""
        return -(-count // self.config.block)

    def _geometry(self):
        last = len(self.layers) - 1
        for n, (layer, fields) in enumerate(zip(self.layers, self.fields, strict=True)):
            filters, channels, *kernel = layer.weight
            ends = prod(layer.end_map)
            fields.update(
                height=layer.in_map[0], width=layer.in_map[1], out_height=layer.out_map[0],
                out_width=layer.out_map[1], kernel_height=kernel[0], kernel_width=kernel[1],
                stride=layer.stride, pad_top=layer.pads[0], pad_left=layer.pads[1],
                z_half=prod(layer.out_map) * self.batch, error_half=ends * self.batch,
                rows=layer.out_map[0], columns=layer.out_map[1], pooled=int(layer.pooled),
                in_blocks=self.blocks(channels), out_blocks=self.blocks(filters), taps=prod(kernel),
                row_tiles=self.blocks(channels) * prod(kernel), in_pixels=prod(layer.in_map),
                in_tiles=prod(layer.in_map) * self.groups, in_half=prod(layer.in_map) * self.batch,
                out_pixels=prod(layer.out_map), out_tiles=prod(layer.out_map) * self.groups,
                end_pixels=ends, end_tiles=ends * self.groups,
                error_slots=prod(layer.out_map) * self.groups << self.wide,
                outputs=prod(layer.out_map) * self.batch, filters=filters, last=int(n == last),
                first=int(n == 0), gradient_scale=0, error_exponent=0)

    def _weights(self):
        for fields in self.fields:
            tiles = fields["out_blocks"] * fields["row_tiles"]
            fields.update(weight_base=self.weight_tiles, weight_tiles=tiles, records=self.records)
            self.weight_tiles += tiles
            self.records += fields["out_blocks"] * self.config.block

    def _memories(self):
        """Places in operand memories, maps, z, errors and winners."""
        right = maps = z = winners = 0
        for n, fields in enumerate(self.fields):
            fields.update(right_in=right, map_in=maps, z_base=z, winner_base=winners)
            right += fields["in_blocks"] * fields["in_tiles"]
            maps += fields["in_blocks"] * fields["in_pixels"]
            z += 2 * fields["out_blocks"] * fields["z_half"]
            winners += 2 * fields["out_blocks"] * fields["error_half"] * fields["pooled"]
            if n:
                self.fields[n - 1].update(right_end=fields["right_in"], map_end=fields["map_in"])
        self.fields[-1].update(right_end=0, map_end=0)
        self.weight_map = maps
        maps += self.weight_tiles
        errors = max(fields["out_blocks"] * fields["error_slots"] for fields in self.fields)
        for fields in self.fields:
            fields.update(left_error=self.weight_tiles, right_error=right, map_error=maps,
                          left_less_right=self.weight_tiles - right,
                          weight_map=self.weight_map + fields["weight_base"])
            maps += fields["out_blocks"] * fields["out_pixels"]
        self.maps = maps
        wide = [2 * fields["out_blocks"] * fields["error_half"] for fields in self.fields]
        for name, needed in (("left_slots", self.weight_tiles + errors), ("right_slots", right + errors),
                             ("maps", maps), ("z_depth", z), ("error_depth", max(wide)),
                             ("winner_depth", winners),
                             ("weight_depth", self.weight_tiles * 2 * self.config.block)):
            if needed > getattr(self.config, name):
                raise ValueError(f"{name} must be at least {needed} for this network and batch, "
                                 f"not {getattr(self.config, name)}")
