"""Where block RAMs and multipliers stand: near what they are wired to.

A part has them in a few rows. Placers find the places of all other cells well, but where most of these rows
are taken, what they do with the blocks at the end makes wires half as long again, or twice
(docs/decisions/0026).
"""

import json
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import cg

__all__ = ["Blocks", "floorplan", "placed"]

FREE = 0.7              #: of the rounds, in which what is wanted is stretched and shaken
SHAKEN = 1.0            #: tiles, at the beginning
PINS = 100              #: nets of more are left out: they go everywhere
CLIQUE = 4              #: nets of up to so many cells pull each two of them, others to their middle
SLOWEST = 30            #: steps to the two slowest modes of the springs, where places are of no concern yet
HOLD = 1e-4             #: of the chip's middle, on all cells


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
    """Nets as springs between cells; all but ``blocks`` move freely.

    ``cells``: count of cells; ``nets``: lists of different cells.
    """

    def __init__(self, cells, nets, blocks, middle):
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
        held = pulls[self._free] + HOLD
        self._matrix = diags_array(held) - wires[self._free][:, self._free]
        self._precondition = diags_array(1 / held)
        self._to_blocks, self._of_blocks = wires[self._free][:, blocks], wires[blocks]
        self.pulls, self._middle = pulls[blocks], middle
        self.positions = np.tile(middle, (size, 1))

    def settle(self):
        """Moves the free cells to where their springs balance."""
        for axis in range(2):
            given = self._to_blocks @ self.positions[self._blocks, axis] + HOLD * self._middle[axis]
            self.positions[self._free, axis], _ = cg(
                self._matrix, given, x0=self.positions[self._free, axis], rtol=1e-4, maxiter=400,
                M=self._precondition)

    def wanted(self):
        """Of each block the middle of what pulls it."""
        return self._of_blocks @ self.positions / self.pulls[:, None]

    def length(self, nets):
        """Half the perimeters of the nets' boxes."""
        flat, begins = np.concatenate(nets), np.r_[0, np.cumsum([len(net) for net in nets])[:-1]]
        found = self.positions[flat]
        return float((np.maximum.reduceat(found, begins) - np.minimum.reduceat(found, begins)).sum())


def placed(cells, nets, types, kinds, rounds=400, seed=0):
    """Places of blocks: {cell: nextpnr's name of its place}, and the wires' length in tiles.

    In turn all other cells are moved to where quadratic wires balance, and each block to a place of its own,
    so that the sum of pulls * distance^2 to where it is wanted is least. It begins with the two slowest modes
    of the springs. At first what is wanted is stretched over the whole chip and shaken, and less and less so;
    the round whose wires are shortest counts.

    Parameters
    ----------
    cells : int
    nets : list of list of int
        Cells of each net, each once.
    types : dict of int to str
        The blocks among the cells, and the type of each.
    kinds : dict of str to Blocks
    rounds, seed : int

    Raises ValueError where a part has fewer places than blocks.
    """
    nets = [np.array(net) for net in nets if len(net) > 1]
    blocks = np.array(sorted(types))
    groups = []
    for kind, part in kinds.items():
        own = np.array([n for n, block in enumerate(blocks) if types[int(block)] == kind], int)
        places, names = part.places
        if len(own) > len(places):
            raise ValueError(f"Cells of type {kind} must be at most {len(places)}, not {len(own)}")
        if len(own):
            groups.append((own, places, names))
    rng, best = np.random.default_rng(seed), (np.inf, {})
    every = np.concatenate([places for _, places, _ in groups])
    springs = _Springs(cells, nets, blocks, every.mean(axis=0))
    springs.positions[blocks] += rng.normal(size=(len(blocks), 2))
    for _ in range(SLOWEST):
        springs.settle()
        mine = springs.wanted()
        modes, _ = np.linalg.qr(mine - mine.mean(axis=0))
        springs.positions[blocks] = every.mean(axis=0) + modes * every.std(axis=0) * len(blocks) ** 0.5
    springs.settle()
    for n in range(rounds):
        stretch, found = max(0.0, 1 - n / (FREE * rounds)), {}
        wanted = springs.wanted()
        for own, places, names in groups:
            mine = wanted[own]
            spread = places.std(axis=0) / np.maximum(mine.std(axis=0), 1e-9)
            middle = stretch * places.mean(axis=0) + (1 - stretch) * mine.mean(axis=0)
            mine = middle + (mine - mine.mean(axis=0)) * (1 + stretch * (spread - 1))
            mine = mine + rng.normal(0, SHAKEN * stretch, mine.shape)
            far = ((mine[:, None] - places) ** 2).sum(axis=2)
            _, chosen = linear_sum_assignment(springs.pulls[own][:, None] * far)
            springs.positions[blocks[own]] = places[chosen]
            found |= {int(blocks[k]): names[place] for k, place in zip(own, chosen, strict=True)}
        springs.settle()
        best = min(best, (springs.length(nets), found), key=lambda pair: pair[0])
    return best[1], best[0]


def floorplan(path, kinds, tries=4):
    """Gives the blocks of yosys' netlist at ``path`` their places, the best of so many; the wires' length."""
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
    places, length = min((placed(len(top), nets, types, kinds, seed=seed) for seed in range(tries)),
                         key=lambda found: found[1])
    for number, cell in enumerate(top.values()):
        if number in places:
            cell["attributes"]["BEL"] = places[number]
    path.write_text(json.dumps(netlist))
    return length
