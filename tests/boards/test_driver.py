"""The driver against the model of the link, on a line that damages, cuts, loses and repeats."""

import random

import pytest
from shiftwork.boards.driver import Board, LinkError, Refused, Status, serial_transport
from shiftwork.boards.frames import FIRST, LAST, Frame
from shiftwork.hw.common.link import Refusal, Request

from .link_model import EchoModel, LinkModel


class ModelLine:
    """A transport with the link's model behind it; time passes with each read."""

    def __init__(self, width=2, there=lambda data: data, back=lambda data: data):
        self.model = LinkModel(EchoModel(width))
        self.there, self.back = there, back
        self.time, self.buffer = 0.0, b""

    def write(self, data):
        for byte in self.there(data):
            self._send(self.model.take(byte))

    def read(self, count):
        self.time += 0.06
        if not self.buffer:
            self._send(self.model.silence())
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def _send(self, frames):
        for frame in frames:
            self.buffer += self.back(frame.encode())

    def close(self):
        self.closed = True

    def board(self, **options):
        return Board(self, clock=lambda: self.time, **options)


def outputs(batch):
    return b"".join((3 * value).to_bytes(2, "little") for value in batch)


def damages(rng, chance):
    def damage(data):
        if rng.random() > chance or not data:
            return data
        at = rng.randrange(len(data))
        return rng.choice([b"", data[:at], bytes(rng.randbytes(9)) + data, data + data,
                           data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1:]])
    return damage


@pytest.mark.parametrize("seed", range(6))
def test_load_and_run(seed):
    rng = random.Random(seed)
    line = ModelLine(2, damages(rng, .3), damages(rng, .3))
    with line.board(attempts=40) as board:
        for count in (1, 64, 200):
            words = [rng.getrandbits(31) for _ in range(count)]
            board.load(words)
            batch = rng.randbytes(2 * rng.randrange(1, 400))
            assert board.run(batch) == outputs(batch)
            assert board.status().run_cycles == len(batch) // 2
        assert board.retries
    assert line.closed


def test_requests_act_once():
    starts = []
    line = ModelLine(2)
    line.model.engine.start = lambda: starts.append(1)
    board = line.board()
    lost = iter([True, True, False])
    line.back = lambda data: b"" if next(lost) else data
    board._request(Request.START)
    assert len(starts) == 1 and board.retries == 2


def test_clear_ends_what_was_open():
    line = ModelLine(2)
    board = line.board()
    board.load([1])
    board._request(Request.START)
    board._request(Request.INPUT | FIRST, b"abcd")
    board.clear()
    assert not board.status().busy
    assert board.run(b"ef") == outputs(b"ef")
    board._request(Request.START)
    board.clear()
    assert board.run(b"gh") == outputs(b"gh")


def test_silent_board():
    with pytest.raises(LinkError, match="Board must answer STATUS, but after 3 attempts there was no answer"):
        ModelLine(there=lambda data: b"").board(attempts=3)
    with pytest.raises(LinkError, match=r"Board must answer STATUS, but after 2 attempts there was "
                                        r"a damaged request \(checksum\)"):
        ModelLine(there=lambda data: data[:-2] + b"\x01\x7e").board(attempts=2)
    with pytest.raises(LinkError, match="after 2 attempts there was a damaged reply"):
        ModelLine(back=lambda data: data[:-2] + b"\x01\x7e").board(attempts=2)


def test_engine_errors():
    line = ModelLine(2)
    board = line.board()
    with pytest.raises(LinkError, match="Engine did not take the input: no program is loaded"):
        board.run(b"ab")
    with pytest.raises(ValueError, match="Input must be a positive multiple of 2 bytes, not 3"):
        board.run(b"abc")
    board.clear()
    assert board.status().error == 0
    line.model.engine.program = lambda word, last: setattr(line.model.engine, "error", 5)
    with pytest.raises(LinkError, match="Engine did not load the program: the program's checksum is wrong"):
        board.load([1, 2])
    with pytest.raises(Refused, match="Board refused INPUT: idle") as refused:
        board._request(Request.INPUT | FIRST | LAST, b"ab")
    assert refused.value.reason == Refusal.IDLE


def test_other_protocol():
    with pytest.raises(LinkError, match="Board must speak version 1 of the host link, not 02"):
        Status.decode(b"\x02" + bytes(15))


def test_missing_port(tmp_path):
    with pytest.raises(LinkError, match=r"Serial port .*none must be one that can be opened at 115200 baud"):
        serial_transport(str(tmp_path / "none"), 115200)


def test_stale_replies_are_ignored():
    line = ModelLine(2)
    board = line.board()
    line.buffer = Frame(board._sequence, 8).encode() + Frame(200, 10, bytes(16)).encode()
    assert board.status().width == 2
