"""Where block RAMs and multipliers stand: near what they are wired to.

A part has them in a few rows. Placers find the places of all other cells well, but where most of these rows
are taken, what they do with the blocks at the end makes wires half as long again, or twice
(docs/decisions/0026).
"""

import json
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import splu

__all__ = ["Blocks", "floorplan", "placed"]

PINS = 100              #: nets of more are left out: they go everywhere
CLIQUE = 4              #: nets of up to so many cells pull each two of them, others to their middle
HOLD = 1e-4             #: of the chip's middle, on all cells but blocks
SPREAD = 5e-3           #: what a cell's squared distance from the middle of all takes off the springs' energy
CROWD = 0.08            #: tiles of wire for each tile that a cell must move to give way to others
HOT, COLD = 1.0, 3e-4   #: temperatures, of a block's mean energy when the blocks stand at random
SOLVED = 32             #: blocks whose pulls are solved for at a time


@dataclass(frozen=True)
class Blocks:
    """A part's places for one type of cells.

    ``rows`` and ``columns`` are coordinates of tiles; in each column nextpnr calls a place by ``names``.
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    names: tuple[str, ...]

    @property
    def places(self):
        """(x, y) of each, and nextpnr's names, in the same order."""
        found = [(x, y, name) for x, name in zip(self.columns, self.names, strict=True) for y in self.rows]
        return np.array([place[:2] for place in found], float), [f"X{x}/Y{y}/{name}" for x, y, name in found]


class _Springs:
    """Nets as springs between cells, of which all but ``blocks`` move freely.

    ``cells``: count of cells; ``nets``: arrays of different cells; ``blocks``: sorted. With the free cells
    where they balance, the springs' energy, less what cells gain by being far from each other, is the sum
    over both axes of x' E x, with ``energy`` E, a matrix over blocks, and x the blocks' distances from the
    chip's middle.
    """

    def __init__(self, cells, nets, blocks):
        nets = [net for net in nets if 2 <= len(net) <= PINS]
        pairs = [(a, b, 1 / (len(net) - 1)) for net in nets if len(net) <= CLIQUE
                 for n, a in enumerate(net) for b in net[:n]]
        stars = [net for net in nets if len(net) > CLIQUE]
        pairs += [(a, cells + n, len(net) / (len(net) - 1)) for n, net in enumerate(stars) for a in net]
        a, b, pull = (np.array(column) for column in zip(*pairs, strict=True))
        size = cells + len(stars)
        wires = coo_array((np.r_[pull, pull], (np.r_[a, b], np.r_[b, a])), shape=(size, size)).tocsr()
        pulls = np.asarray(wires.sum(axis=1)).ravel()
        self._blocks, self._free = blocks, np.setdiff1d(np.arange(size), blocks)
        to_blocks = wires[self._free][:, blocks].tocsc()
        solver = splu((diags_array(pulls[self._free] + HOLD) - wires[self._free][:, self._free]).tocsc(),
                      permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        self._balance = np.hstack([solver.solve(to_blocks[:, n:n + SOLVED].toarray())
                                   for n in range(0, len(blocks), SOLVED)])
        energy = np.diag(pulls[blocks]) - wires[blocks][:, blocks].toarray() - to_blocks.T @ self._balance
        self._cells = self._balance[self._free < cells]
        apart = self._cells - self._cells.mean(axis=0)
        self.energy = (energy + energy.T) / 2 - SPREAD * apart.T @ apart

    def length(self, places, nets):
        """Half the perimeters of the nets' boxes, free cells where they balance; ``places`` of blocks."""
        positions = np.empty((len(self._blocks) + len(self._free), 2))
        positions[self._free], positions[self._blocks] = self._balance @ places, places
        flat, begins = np.concatenate(nets), np.r_[0, np.cumsum([len(net) for net in nets])[:-1]]
        found = positions[flat]
        return float((np.maximum.reduceat(found, begins) - np.minimum.reduceat(found, begins)).sum())

    def crowd(self, places, low, high):
        """How far free cells are from where they balance, if they keep their order in each axis, but stand
        evenly between ``low`` and ``high``.
        """
        found = np.sort(self._cells @ places, axis=0)
        even = (np.arange(len(found)) + 0.5) / len(found)
        return float(np.abs(found - low - even[:, None] * (high - low)).sum())


def _annealed(energy, places, groups, sweeps, rng):
    """Places whose energy is low: each block in turn changes with one of its group, or with nothing.

    ``places`` (n, 2) is changed. Every change of a block is weighed at once, by exp(-energy / temperature);
    the temperature falls from ``HOT`` to ``COLD`` of a block's mean energy. With d = places[b] - places[a],
    a and b in each other's place take 2 d (g[a] - g[b]) + d^2 (E[a, a] + E[b, b] - 2 E[a, b]) an axis, with
    g = E places.
    """
    own, gradient = np.diag(energy), energy @ places
    mean = np.abs(own).sum() * places.var(axis=0).sum() / len(places)
    for temperature in mean * np.geomspace(HOT, COLD, sweeps):
        for group in groups:
            for a in rng.permutation(group):
                d = places[group] - places[a]
                change = (2 * d * (gradient[a] - gradient[group])).sum(axis=1) + (d ** 2).sum(axis=1) * (
                    own[a] + own[group] - 2 * energy[a, group])
                n = np.argmax(rng.gumbel(size=len(group)) - change / temperature)
                b = group[n]
                gradient += np.outer(energy[a] - energy[b], d[n])
                places[[a, b]] = places[[b, a]]
    return places


def placed(cells, nets, types, kinds, sweeps=1000, tries=8, seed=0):
    """Places of blocks: {cell: nextpnr's name of its place}, and the wires' length in tiles.

    Blocks are placed at random and annealed, with all other cells where quadratic wires balance; of all
    tries the one counts with the shortest wires, and what they grow by when all cells make room for others.

    Parameters
    ----------
    cells : int
    nets : list of list of int
        Cells of each net, each once.
    types : dict of int to str
        The blocks among the cells, and the type of each.
    kinds : dict of str to Blocks
    sweeps, tries, seed : int

    Raises ValueError where a part has fewer places than blocks.
    """
    nets = [np.array(net) for net in nets if len(net) > 1]
    blocks = np.array(sorted(types))
    groups, sites, names, count = [], [], [], len(blocks)
    for kind, part in kinds.items():
        own = np.array([n for n, block in enumerate(blocks) if types[int(block)] == kind], int)
        places, called = part.places
        if len(own) > len(places):
            raise ValueError(f"Cells of type {kind} must be at most {len(places)}, not {len(own)}")
        # What stays empty is a block that nothing pulls.
        groups.append(np.r_[own, np.arange(count, count := count + len(places) - len(own))])
        sites.append(places)
        names.append(called)
    springs, middle = _Springs(cells, nets, blocks), np.rint(np.concatenate(sites).mean(axis=0))
    energy = np.pad(springs.energy, (0, count - len(blocks)))
    low, high = (extreme(np.concatenate(sites), axis=0) - middle for extreme in (np.min, np.max))

    def tried(seed):
        rng, start, name = np.random.default_rng(seed), np.empty((count, 2)), {}
        for group, places, called in zip(groups, sites, names, strict=True):
            start[group] = rng.permutation(places - middle)
            name |= {tuple(place): text for place, text in zip(places, called, strict=True)}
        found = _annealed(energy, start, groups, sweeps, rng)[:len(blocks)]
        length = springs.length(found, nets)
        return (length + CROWD * springs.crowd(found, low, high), length,
                {int(block): name[tuple(place)] for block, place in zip(blocks, found + middle, strict=True)})

    _, length, found = min((tried(seed + n) for n in range(tries)), key=lambda found: found[0])
    return found, length


def floorplan(path, kinds):
    """Gives the blocks of yosys' netlist at ``path`` their places; the wires' length."""
    netlist = json.loads(path.read_text())
    top, = (module["cells"] for module in netlist["modules"].values() if "top" in module["attributes"])
    nets, types = {}, {}
    for number, cell in enumerate(top.values()):
        if cell["type"] in kinds:
            types[number] = cell["type"]
        for bits in cell["connections"].values():
            for bit in bits:
                if isinstance(bit, int):
                    nets.setdefault(bit, {})[number] = None
    if not types:
        return 0.0
    nets = [list(net) for net in nets.values()]
    places, length = placed(len(top), nets, types, kinds)
    for number, cell in enumerate(top.values()):
        if number in places:
            cell["attributes"]["BEL"] = places[number]
    path.write_text(json.dumps(netlist))
    return length
