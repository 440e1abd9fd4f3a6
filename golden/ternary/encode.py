"""The encoder: an integer network to the program of an engine."""

import numpy as np

from ..common.blocks import alternate, together
from ..common.lanes import to_lanes
from ..common.parts import pack_descriptors, plain, word_section
from .check import EncodeError, check_network
from .descriptor import DESCRIPTOR_WORDS, Descriptor, Destination, Kind
from .layers import ConvLayer
from .parts import Order, conv_bits, conv_fields, dense_bits, input_fields, number_fields
from .plan import plan_convolutions
from .program import Memory, Program, Section

__all__ = ["Order", "encode"]




class _Encoder:
    """What grows while the layers are encoded one after the other."""

    def __init__(self, network, config, order, images):
        self.config, self.order = config, order
        self.network, self.layers = network, network.layers
        self.shapes = check_network(network, config)
        convs = [layer for layer in self.layers if isinstance(layer, ConvLayer)]
        self.images = config.batch if images is None else images
        self._check_images(bool(convs))
        self.array_images = self.images // config.arrays
        self.plans = plan_convolutions(convs, network.input_shape, config) if convs else []
        self.bits, self.weight_words = [], 0
        self.scales, self.param_base = [], DESCRIPTOR_WORDS * (len(self.layers) + 2)
        self.vectors = self._place_vectors()

    def _check_images(self, convolutions):
        batch, arrays = self.config.batch, self.config.arrays
        if convolutions:
            right, wanted = self.images == batch, f"{batch}, the batch, for a network with convolutions"
        elif arrays > 1:
            right = self.images >= 1 and self.images % arrays == 0
            wanted = f"at least {arrays} and a multiple of it, the same number for each of the arrays"
        else:
            right, wanted = self.images >= 1, "at least 1"
        if not right:
            raise EncodeError(f"Images must be {wanted}, not {self.images}")

    def _place_vectors(self):
        """First word in the vector memory of each fully connected layer's input, by the layer's number."""
        config, first = self.config, len(self.plans)
        dense = self.layers[first:]
        sizes = []
        if dense and self.plans:
            sizes.append(len(self.layers[first - 1].weights) * np.prod(self.plans[-1].block) * config.lanes)
        elif dense:
            sizes.append(-(-self._vector_size(self.network.input_shape[0]) // config.lanes) * config.lanes)
        sizes += [self._vector_size(len(layer.weights)) for layer in dense[:-1]]
        words = [int(size) // config.drain_width for size in sizes]
        needed = together(words)
        if needed and max(needed) > config.vector_depth:
            name = dense[needed.index(max(needed))].name
            raise EncodeError(f"Vector memory must have {max(needed)} words (input and output of layer "
                              f"'{name}'), not {config.vector_depth}")
        return {first + n: base for n, base in enumerate(alternate(words, config.vector_depth))}

    def _vector_size(self, values):
        group = self.config.scatter_width
        return self.array_images * -(-values // group) * group

    def _input(self):
        config = self.config
        if self.plans:
            return input_fields(self.plans[0])
        rows = -(-self._vector_size(self.network.input_shape[0]) // config.lanes)
        return dict(kind=Kind.INPUT, m_count=rows, i_count=1, j_count=1, pi_count=1, pj_count=1,
                    destination=Destination.VECTOR, out_base=self.vectors[0])

    def _destination(self, n):
        if n + 1 == len(self.layers):
            return dict(destination=Destination.STREAM)
        if n + 1 in self.vectors:
            return dict(destination=Destination.VECTOR, out_base=self.vectors[n + 1])
        return self.plans[n + 1].written

    def _dense(self, n, layer):
        config, weights = self.config, layer.weights
        group, cell_lanes = config.scatter_width, config.image_lanes
        inputs = weights.shape[1]
        if n and n == len(self.plans):
            # Behind a convolution: lanes of one image side by side, and a segment for each row of results.
            plan, shape = self.plans[-1], self.shapes[n - 1]
            cells = to_lanes(weights.reshape(len(weights), *shape), plan.block,
                             (config.grid_rows, config.grid_columns))
            weights = cells.reshape(len(weights), -1)
            walk = dict(segments=shape[0] * int(np.prod(plan.block)), words=cell_lanes // group,
                        fetch_m_stride=cell_lanes // group, fetch_seg_stride=config.lanes // group,
                        index_seg_stride=cell_lanes)
        else:
            words = -(-inputs // group)
            walk = dict(segments=1, words=words, fetch_m_stride=words)
        fields = dict(
            kind=Kind.DENSE, m_count=self.array_images, i_count=-(-len(weights) // config.lanes), j_count=1,
            pi_count=1, pj_count=1, fetch_base=self.vectors[n] * config.drain_width // group,
            index_base=self.weight_words, index_i_stride=weights.shape[1], outputs=len(weights), **walk)
        return fields, dense_bits(weights, config.lanes)

    def _layer(self, n):
        layer = self.layers[n]
        if n < len(self.plans):
            plan = self.plans[n]
            fields = dict(conv_fields(layer, plan, self.order), fetch_base=self.weight_words)
            bits = conv_bits(layer.weights, plan, self.config)
        else:
            fields, bits = self._dense(n, layer)
        bounds = (self.layers[n - 1].low, self.layers[n - 1].high) if n else self.network.input_range
        fields.update(number_fields(layer, bounds), param_base=self.param_base + len(self.scales),
                      **self._destination(n))
        self.bits.append(bits)
        self.weight_words += len(bits)
        self.scales += self.config.scales.words(layer)
        return fields

    def _metadata(self):
        layers = []
        for n, layer in enumerate(self.layers):
            positions = int(np.prod(self.plans[n].size)) * self.images if n < len(self.plans) else self.images
            layers.append({
                "name": layer.name, "kind": "conv" if n < len(self.plans) else "dense",
                "outputs": len(layer.weights), "positions": positions, "weights": int(layer.weights.size),
                "non_zeros": int(np.count_nonzero(layer.weights)), "weight_words": len(self.bits[n])})
        return {"input_shape": plain(self.network.input_shape),
                "input_scale": float(self.network.input_scale),
                "input_signed": bool(self.layers[0].input_signed), "input_bits": int(self.network.input_bits),
                "input_block": plain(self.plans[0].input_block) if self.plans else None,
                "output_shape": plain(self.shapes[-1]), "output_scale": float(self.network.output_scale),
                "output_block": plain(self.plans[-1].block) if len(self.plans) == len(self.layers) else None,
                "images": int(self.images), "order": self.order.value, "layers": layers}

    def program(self):
        config = self.config
        table = pack_descriptors(Descriptor, config, [("the input", self._input())] + [
            (f"layer '{layer.name}'", self._layer(n)) for n, layer in enumerate(self.layers)])
        table += self.scales
        for what, needed, depth in (("Weight memory", self.weight_words, config.weight_depth),
                                    ("Table", len(table), config.table_depth)):
            if needed > depth:
                raise EncodeError(f"{what} must have {needed} words, not {depth}")
        return Program(config, (word_section(Memory.TABLE, table, config),
                                Section.from_bits(Memory.WEIGHTS, 0, np.concatenate(self.bits))),
                       self._metadata())


def encode(network, config, order=Order.ASCENDING, images=None):
    """The Program of ``network`` for an engine of ``config``.

    ``images`` of a batch, those of all arrays, may be chosen for a network of fully connected layers only, as
    a multiple of ``config.arrays``; otherwise, and by default, it is ``config.batch``. Raises
    EncodeError (a ValueError), a sentence that names the layer, what is needed and what is available, where
    the network does not fit the engine.
    """
    if order not in list(Order):
        raise EncodeError(f"Order must be one of {', '.join(map(str, Order))}, not {order!r}")
    return _Encoder(network, config, order, images).program()
