"""The host's side of the training engine: packets for a program, and what its outputs say."""

import numpy as np

from .encode import from_vectors
from .firmware import Command
from .firmware_base import RECORD, SAVED
from .network import pixels
from .plan import Plan
from .registers import COUNTERS
from .update import Parameter

__all__ = ["Packets"]


class Packets:
    """Packets, uint32 words, for the engine that runs ``encode(net, config, batch, mode)``; same arguments.

    Raises ValueError where `encode` does for the network.
    """

    def __init__(self, net, config, batch, mode):
        self.plan = Plan(net, config, batch, mode)
        self.net, self.config, self.batch, self.mode = net, config, batch, mode
        self.classes = self.plan.layers[-1].weight[0]

    def images(self, x):
        """Words of images ``x`` (batch, ...) in 0 .. 1, as the input unit takes them.

        Block of channels by block, each from a fresh word on: pixel, group, half, image, channel; four bytes
        a word, lowest first. Raises ValueError for another number or shape of images.
        """
        shape = tuple(self.net.network.input_shape)
        x = np.asarray(x)
        if x.shape != (self.batch, *shape):
            raise ValueError(f"images must be of shape {(self.batch, *shape)}, not {x.shape}")
        layer, side, block = self.plan.layers[0], self.config.side, self.config.block
        channels = layer.weight[1]
        whole = pixels(x).integers.astype(np.uint8).reshape(channels, -1, self.plan.groups, block)
        parts = []
        for first in range(0, channels, block):
            # (pixel, group, image, channel) of both halves.
            found = whole[first:first + block].transpose(1, 2, 3, 0)
            halves = [found[..., :side], found[..., side:]]
            data = np.concatenate([half.reshape(*half.shape[:2], -1) for half in halves], axis=2).reshape(-1)
            parts.append(np.pad(data, (0, -len(data) % 4)).view("<u4").astype(np.uint32))
        return np.concatenate(parts)

    def train(self, x, labels, rate, levels):
        """A step's packet: images ``x``, ``labels`` (batch,), ``rate`` in 1 / 512, ``levels`` of CQ.

        Raises ValueError where one of them is out of range.
        """
        labels = np.asarray(labels)
        if labels.shape != (self.batch,) or labels.min() < 0 or labels.max() >= self.classes:
            raise ValueError(f"labels must be {self.batch} of 0 .. {self.classes - 1}, not {labels!r}")
        if rate not in range(512):
            raise ValueError(f"rate must be 0 .. 511, not {rate!r}")
        if levels not in (2, 4, 8, 16, 32, 64, 128):
            raise ValueError(f"levels must be a power of two, 2 .. 128, not {levels!r}")
        head = np.array([Command.TRAIN, rate, levels.bit_length() - 1], np.uint32)
        return np.concatenate([head, labels.astype(np.uint32), self.images(x)])

    def infer(self, x):
        """An inference's packet of at most ``batch`` images ``x``; missing ones are zeros."""
        x = np.asarray(x)
        if not 1 <= len(x) <= self.batch:
            raise ValueError(f"images must be 1 .. {self.batch}, not {len(x)}")
        full = np.zeros((self.batch, *x.shape[1:]), x.dtype)
        full[:len(x)] = x
        return np.concatenate([np.array([Command.INFER], np.uint32), self.images(full)])

    def dump(self):
        return np.array([Command.DUMP], np.uint32)

    def maps(self):
        return np.array([Command.MAPS], np.uint32)

    # What comes back.

    def parse_train(self, words):
        """(miss, tolerance, cycles) of a step: tolerance None unless precision is dynamic, cycles of each
        `Unit` and of all until then.
        """
        dynamic = self.mode == "dynamic"
        words = self._whole(words, 1 + dynamic + COUNTERS).tolist()
        return words[0], words[1] if dynamic else None, words[1 + dynamic:]

    def parse_infer(self, words, images=None):
        """Logits (images, classes), int64 on the grid 2 ** -14."""
        words = self._whole(words, self.batch * self.classes)
        return words.reshape(self.batch, self.classes)[:images or self.batch]

    def parse_dump(self, words):
        """A copy of the network with the parameters, accumulators and running statistics that were dumped."""
        config, plan = self.config, self.plan
        weights, records = plan.weight_tiles * 2 * config.block * config.side, plan.records * SAVED
        words = self._whole(words, 2 * weights + 2 * records + 1)
        vectors = words[:2 * weights].reshape(-1, config.side, 2)
        saved = words[2 * weights:-1].reshape(-1, SAVED, 2)
        saved = (saved[..., 0] & 0xFFFFFFFF) + (saved[..., 1] << 32)
        net = self.net.copy()
        net.running.clear()
        for layer, fields in zip(plan.layers, plan.fields, strict=True):
            start, stop = (n * 2 * config.block for n in (fields["weight_base"],
                                                           fields["weight_base"] + fields["weight_tiles"]))
            name = layer.node.inputs[1]
            shape = net.parameters[name].master.shape
            net.parameters[name] = Parameter(*(from_vectors(vectors[start:stop, :, n], layer.weight)
                                               .reshape(shape) for n in (0, 1)))
            channels = saved[fields["records"]:fields["records"] + fields["filters"]].T.copy()
            channels = dict(zip(RECORD[:SAVED], channels, strict=True))
            names = {"beta": layer.node.inputs[-1]} if layer.norm is None else {
                "gamma": layer.norm.inputs[1], "beta": layer.norm.inputs[2]}
            for part, array in names.items():
                net.parameters[array] = Parameter(channels[part], channels[f"{part}_momentum"])
            if layer.norm is not None and words[-1]:
                net.running[layer.norm.name] = channels["running_mean"], channels["running_deviation"]
        return net

    def parse_maps(self, words):
        """{tensor: widths} of the input of each Conv and Gemm ("x"), its weight and its error, by its name.

        Widths are int64: (tiles of channels, pixels), of weights (tiles of filters, tiles of channels, taps).
        """
        words, found = self._whole(words, self.plan.maps), {}
        for layer, fields in zip(self.plan.layers, self.plan.fields, strict=True):
            def part(first, *shape):
                return words[first:first + int(np.prod(shape))].reshape(shape)
            found[layer.node.name] = {
                "x": part(fields["map_in"], fields["in_blocks"], fields["in_pixels"]),
                "weight": part(fields["weight_map"], fields["out_blocks"], fields["in_blocks"],
                               fields["taps"]),
                "error": part(fields["map_error"], fields["out_blocks"], fields["out_pixels"])}
        return found

    @staticmethod
    def _whole(words, count):
        words = np.asarray(words)
        if words.shape != (count,):
            raise ValueError(f"output must have {count} words, not {words.size}")
        return words.astype(np.uint32).astype(np.int32).astype(np.int64)
