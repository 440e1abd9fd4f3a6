"""The encoder: an integer network to the program of a circulant engine."""

from dataclasses import replace

import numpy as np

from .cells import Lstm
from .integer_network import Vector, gates
from .program import Memory, Program
from .schedule import schedule
from .words import Header, Phase, Row, Segment

__all__ = ["encode"]


class _Spectra:
    """Places in the spectrum memory. Those that alternate have another one half of the memory above."""

    def __init__(self, config):
        self.half, self.used, self.plain = config.spectrum_depth // 2, 0, [0, 0]

    def alternating(self, blocks):
        """Address of ``blocks`` in the lower half; all of these come before the others."""
        self.used += blocks
        return self.used - blocks

    def fixed(self, blocks):
        """Address of ``blocks`` above those that alternate, in the half that has more left."""
        side = int(self.plain[0] > self.plain[1])
        self.plain[side] += blocks
        return side * self.half + self.used + self.plain[side] - blocks

    @property
    def needed(self):
        """Blocks of half the memory."""
        return self.used + max(self.plain)


class _Encoder:
    """What grows while the layers are encoded one after the other."""

    def __init__(self, network, config, sequences):
        self.network, self.config, self.sequences = network, config, sequences
        self.layers = network.layers
        self._check()
        self.coefficients, self.weights, self.weight_words = {}, [], 0
        self.phases, self.rows, self.vectors, self.outputs = [], [], 0, []
        self.places, self.states = self._place_vectors(), self._place_states()
        self.written = {}       # (sequence, layer, vector): number of the first of its vectors, from 1

    def _check(self):
        if not (type(self.sequences) is int and self.sequences >= 1):
            raise ValueError(f"sequences must be an integer of at least 1, not {self.sequences!r}")
        if self.network.block != self.config.block:
            raise ValueError(f"block must be the network's {self.network.block}, not {self.config.block}")
        for number, layer in enumerate(self.layers):
            lstm = isinstance(layer.cell, Lstm)
            for needed, what in ((lstm, "cell_tanh"), (lstm and layer.cell.peephole, "peepholes")):
                if needed and not getattr(self.config, what):
                    raise ValueError(f"{what} must be True for layer{number}, not False")

    def _blocks(self, entries):
        return -(-entries // self.config.block)

    def _each(self):
        """(sequence, number of layer) of all, layer by layer."""
        return [(s, n) for n in range(len(self.layers)) for s in range(self.sequences)]

    def _place_vectors(self):
        """{(sequence, layer, Vector): address}; x of a later layer is y of the one before."""
        spectra, found = _Spectra(self.config), {}
        for s in range(self.sequences):
            found[s, 0, Vector.X] = spectra.alternating(self._blocks(self.layers[0].cell.inputs))
        for s, n in self._each():
            found[s, n, Vector.Y] = spectra.alternating(self._blocks(self.layers[n].cell.outputs))
            if n:
                found[s, n, Vector.X] = found[s, n - 1, Vector.Y]
            # In odd steps the other half is the new one.
            found[s, n, Vector.OLD] = found[s, n, Vector.Y] ^ spectra.half
        for s, n in self._each():
            if any(product.plan.makes is Vector.INNER for product in self.layers[n].products):
                found[s, n, Vector.INNER] = spectra.fixed(self._blocks(self.layers[n].cell.hidden))
        _need("spectrum_depth", 2 * spectra.needed, self.config.spectrum_depth)
        return found

    def _place_states(self):
        """{(sequence, layer): its first block}."""
        found, used = {}, 0
        for s, n in self._each():
            found[s, n] = used
            used += self._blocks(self.layers[n].cell.hidden)
        _need("state_depth", used * self.config.slots, self.config.state_depth)
        return found

    def _coefficient(self, bias, peephole):
        """Block of the coefficient memory that holds an element's, (k,) each; equal ones share it."""
        words = np.concatenate([bias.reshape(-1, 2), peephole.reshape(-1, 2)], axis=1)
        number, _ = self.coefficients.setdefault(words.tobytes(), (len(self.coefficients), words))
        return number

    def _product_rows(self, n, product):
        """Of each row, by priority: (gate, block), and the Row of the first sequence."""
        plan, blocks = product.plan, product.weights[0].shape[1]
        order = [(gate, block) for gate in range(len(plan.gates)) for block in range(blocks)]
        if plan.by_element:
            order.sort(key=lambda row: row[1])
        return [(place, self._row(n, product, *place)) for place in order]

    def _row(self, n, product, gate, block):
        plan, size = product.plan, self.config.block
        row = gates(self.layers[n].cell)[plan.gates[gate]][1]
        span = slice(size * block, size * (block + 1))
        made = {}
        if row.to_vector:
            made = {"target": self.places[0, n, plan.makes] + block, "alternate": plan.makes is Vector.Y,
                    "out_shift": product.out_shift,
                    "to_output": plan.makes is Vector.Y and n == len(self.layers) - 1}
        return replace(row, **made, state=self.states[0, n] + block, pre_shift=product.pre_shift,
                       coefficient=self._coefficient(product.bias[gate, span], product.peephole[gate, span]))

    def _moved(self, row, s, n, vector):
        """``row`` of the first sequence as that of sequence ``s``."""
        if row is None:
            return Row()
        target = self.places[s, n, vector] - self.places[0, n, vector] if row.to_vector else 0
        return replace(row, state=row.state + self.states[s, n] - self.states[0, n],
                       target=row.target + target)

    def _segment(self, s, n, vector, columns):
        alternate, old = vector is not Vector.INNER, vector is Vector.OLD
        made = (s, n - 1, Vector.Y) if vector is Vector.X else (s, n, vector)
        after = self.written.get(made, 0)
        return Segment(base=self.places[s, n, vector], count=columns, after=after, following=after > 0,
                       alternate=alternate, old=old)

    def _weight_words(self, product, order):
        """Words (passes * columns, R, h, 2) of rows in ``order``, (gate, block) or None."""
        weights = np.concatenate(product.weights, axis=2)
        rows = self.config.rows
        _, _, columns, *slots = weights.shape
        found = np.zeros((-(-len(order) // rows) * rows, columns, *slots), np.int64)
        for n, chosen in enumerate(order):
            if chosen is not None:
                found[n] = weights[chosen]
        return found.reshape(-1, rows, columns, *slots).swapaxes(1, 2).reshape(-1, rows, *slots)

    def _phases(self, n, product, rows):
        """A product's phases, one for each sequence; ``rows``: (gate, block) and Row, or None."""
        plan, words = product.plan, self._weight_words(product, [row and row[0] for row in rows])
        for s in range(self.sequences):
            segments = [self._segment(s, n, vector, weights.shape[2])
                        for (vector, _), weights in zip(plan.columns, product.weights, strict=True)]
            self.phases.append({"rows": len(rows), "weight_base": self.weight_words,
                                "sum_shift": product.sum_shift, "segments": (*segments, Segment())[:2]})
            if plan.makes:
                self.written[s, n, plan.makes] = self.vectors + 1
            for place, row in (row or (None, None) for row in rows):
                self.rows.append(self._moved(row, s, n, plan.makes))
                self.vectors += self.rows[-1].to_vector
                if self.rows[-1].to_output:
                    self.outputs.append([s, place[1]])
        self.weights.append(words)
        self.weight_words += len(words)

    def program(self):
        """The Program."""
        products = [(n, product) for n, layer in enumerate(self.layers) for product in layer.products]
        listed = [self._product_rows(n, product) for n, product in products]
        orders = schedule([[row for _, row in rows] for rows in listed], self.config.dependence)
        for (n, product), rows, order in zip(products, listed, orders, strict=True):
            self._phases(n, product, [None if number is None else rows[number] for number in order])
        return self._program()

    def _program(self):
        config, slots = self.config, self.config.slots
        inputs = self._blocks(self.layers[0].cell.inputs)
        words = {Memory.PHASES: len(self.phases), Memory.ROWS: len(self.rows),
                 Memory.COEFFICIENTS: len(self.coefficients) * slots, Memory.WEIGHTS: self.weight_words}
        for memory, name in ((Memory.PHASES, "phase_depth"), (Memory.ROWS, "row_depth"),
                             (Memory.COEFFICIENTS, "coefficient_depth"), (Memory.WEIGHTS, "weight_depth")):
            _need(name, words[memory], memory.depth(config))
        _need("output_depth", len(self.outputs) * slots, config.output_depth)
        header = Header(input_blocks=inputs * self.sequences, input_base=self.places[0, 0, Vector.X],
                        vectors=self.vectors, output_beats=len(self.outputs) * slots)
        phases = [Phase(**fields, last=n == len(self.phases) - 1) for n, fields in enumerate(self.phases)]
        return Program.of_words(config, header, phases, self.rows,
                                np.concatenate([words for _, words in self.coefficients.values()]),
                                np.concatenate(self.weights), self._metadata())

    def _metadata(self):
        first, last = self.layers[0], self.layers[-1]
        return {"sequences": self.sequences, "inputs": first.cell.inputs, "outputs": last.cell.outputs,
                "output_blocks": self.outputs, "input_exponent": first.exponents[Vector.X],
                "output_exponent": last.exponents[Vector.Y],
                "layers": [{"states": [self.states[s, n] for s in range(self.sequences)]}
                           for n in range(len(self.layers))]}


def _need(name, needed, found):
    if needed > found:
        raise ValueError(f"{name} must be at least {needed}, not {found}")


def encode(network, config, sequences=1):
    """The Program of ``network``, an IntegerNetwork, for an engine of ``config``.

    ``sequences`` run side by side, on the same weights: of each product there is a phase for each of them,
    one behind the other, so that one's rows are on their way while the next one's are computed. Raises
    ValueError, a sentence that names the parameter, what is needed and what it is, where the network does
    not fit the engine.
    """
    return _Encoder(network, config, sequences).program()
