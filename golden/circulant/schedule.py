"""The order of a step's rows: who reads a state comes late enough behind who writes it."""

__all__ = ["schedule"]


def _dependences(rows, dependence):
    """Of each row [(earlier one, rows from it to this one)], and pairs (writer, reader) around a step's end.

    ``rows`` stand in the order that their results are meant in.
    """
    written, read, waits, first = {}, {}, [], []
    for n, row in enumerate(rows):
        found = []
        for place in ((name, row.state) for name in row.reads):
            if place in written:
                found.append((written[place], dependence))
            else:
                first.append((place, n))
            read.setdefault(place, []).append(n)
        for place in ((name, row.state) for name in row.writes):
            found += [(n_read, 1) for n_read in read.pop(place, []) if n_read != n]
            if place in written:
                found.append((written[place], 1))
            written[place] = n
        waits.append(found)
    return waits, [(written[place], n) for place, n in first if place in written]


def schedule(phases, dependence):
    """Of ``phases`` (lists of Row), numbers of their rows in an order that may be computed.

    None stands where there is nothing to be done. A row comes ``dependence`` rows or more behind one whose C,
    T0 or T1 it reads, counted over phases and from a step's end to the next one's beginning; behind those
    that read what it writes; and vectors are written in ascending order of their targets. Of the rows that
    may come next the first of the phase's list does.
    """
    rows = [row for phase in phases for row in phase]
    waits, around = _dependences(rows, dependence)
    found, times, now, begin = [], {}, 0, 0
    for phase in phases:
        left = list(range(begin, begin + len(phase)))
        vectors = sorted((n for n in left if rows[n].to_vector), key=lambda n: rows[n].target)
        for before, after in zip(vectors, vectors[1:], strict=False):
            waits[after].append((before, 1))
        order = []
        while left:
            chosen = next((n for n in left if _ready(waits[n], times, now)), None)
            order.append(None if chosen is None else chosen - begin)
            if chosen is not None:
                left.remove(chosen)
                times[chosen] = now
            now += 1
        found.append(order)
        begin += len(phase)
    # What is put in front stands between a step's last rows and the next one's first.
    late = max((dependence - (times[reader] + now - times[writer]) for writer, reader in around), default=0)
    return [[None] * max(0, late) + found[0], *found[1:]]


def _ready(waits, times, now):
    return all(earlier in times and times[earlier] + rows <= now for earlier, rows in waits)
