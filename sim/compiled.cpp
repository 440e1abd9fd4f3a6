// Drives a compiled model of an engine over its buses, for compiled.py. MAGIC is its ID.
//
// DESIGN is the file that Yosys' write_cxxrtl wrote, TOP its struct. With TRACE, the first cycles go to a VCD file.
// Every stream keeps what it offers until it is taken, and stalls before offering with the given probability.
//
// One evaluation at the rising edge does for a whole cycle: CXXRTL computes the outputs from the registers as they were
// before it, and these are what the edge samples; no input here depends on an output of the same cycle. Where one
// pass does not settle all wires (FEEDBACK, by what write_cxxrtl said), or each edge is to be seen, there are two.

#include DESIGN

#include <cstdint>
#include <vector>

#ifdef TRACE
#include <cxxrtl/cxxrtl_vcd.h>
#include <fstream>
#endif

namespace {

enum Failure { HANG = -1, REFUSED = -2, OVERRUN = -3, IDENTITY = -4, TRACE_FILE = -5 };

enum Register { ID = 0x00, CONTROL = 0x10, STATUS = 0x14, LOAD_CYCLES = 0x18, RUN_CYCLES = 0x1C };

const uint32_t POLL_CYCLES = 64;

// Ports are plain values, or wires where an output is a register.
template<size_t Bits> const value<Bits> &now(const value<Bits> &port) { return port; }
template<size_t Bits> const value<Bits> &now(const wire<Bits> &port) { return port.curr; }

template<size_t Bits> constexpr size_t width(const value<Bits> &) { return Bits; }
template<size_t Bits> constexpr size_t width(const wire<Bits> &) { return Bits; }

template<class Port> bool high(const Port &port) { return now(port).data[0] & 1; }
template<class Port> uint32_t word(const Port &port) { return now(port).data[0]; }

template<size_t Bits> void put(value<Bits> &port, const uint8_t *bytes) {
	for (size_t n = 0; n < value<Bits>::chunks; n++)
		port.data[n] = 0;
	for (size_t n = 0; n < Bits / 8; n++)
		port.data[n / 4] |= uint32_t(bytes[n]) << (8 * (n % 4));
}

struct Packet {
	const uint8_t *bytes = nullptr;
	size_t beats = 0;
	size_t next = 0;
	bool rest() const { return next < beats; }
	bool last() const { return next + 1 == beats; }
};

class Simulator {
public:
	uint64_t cycles = 0;
	std::vector<int16_t> values;
	uint32_t program_cycles = 0, load_cycles = 0, run_cycles = 0;

	Simulator(uint32_t stall_percent, uint64_t seed, uint64_t max_cycles)
		: stall((uint64_t(stall_percent) << 32) / 100), random(2 * seed + 1), max_cycles(max_cycles) {}

	size_t input_bytes() const { return width(top.p_s__axis__input__tdata) / 8; }
	size_t output_values() const { return width(top.p_m__axis__output__tdata) / 16; }

	int reset() {
		limit = cycles + max_cycles;
		top.p_rst.template set<bool>(true);
		tick();
		tick();
		top.p_rst.template set<bool>(false);
		return read(ID) == MAGIC ? 0 : IDENTITY;
	}

	// Code of the engine's error, 0 for none.
	int load(const uint32_t *words, size_t count) {
		limit = cycles + max_cycles;
		write(CONTROL, 2);	// the error of a run before would be taken for the program's
		uint64_t begin = cycles;
		std::vector<uint8_t> bytes(4 * count);
		for (size_t n = 0; n < bytes.size(); n++)
			bytes[n] = uint8_t(words[n / 4] >> (8 * (n % 4)));
		program = Packet{bytes.data(), count};
		while (program.rest())
			tick();
		program_cycles = uint32_t(cycles - begin);
		for (;;) {
			uint32_t status = read(STATUS);
			if (error(status) || loaded(status))
				return error(status);
		}
	}

	// One batch. Its input waits at the port before the start, so the cycles counted are the engine's own. A program
	// that takes no input has none.
	int run(const uint8_t *bytes, size_t beats) {
		limit = cycles + max_cycles;
		values.clear();
		ended = false;
		input = Packet{bytes, beats};
		write(CONTROL, 3);	// and the error of a run before goes
		uint32_t status;
		do {
			for (uint32_t n = 0; n < POLL_CYCLES && !ended; n++)
				tick();
			status = read(STATUS);
			if (error(status))
				return error(status);
		} while (!ended || input.rest() || busy(status));
		load_cycles = read(LOAD_CYCLES);
		run_cycles = read(RUN_CYCLES);
		return 0;
	}

#ifdef TRACE
	void trace(const char *path, uint64_t count) {
		top.debug_info(&items, nullptr, "");
		vcd.timescale(1, "ns");
		vcd.add_without_memories(items);
		file.open(path);
		if (!file)
			throw TRACE_FILE;
		trace_cycles = count;
	}
#endif

private:
	cxxrtl_design::TOP top;
	uint64_t stall, random, max_cycles, limit = 0;
	Packet program, input;
	bool ended = true;

	bool write_address = false, write_data = false, write_wait = false;
	bool read_address = false, read_wait = false;
	uint32_t data = 0;

	static uint32_t error(uint32_t status) { return (status >> 4) & 0xF; }
	static bool busy(uint32_t status) { return status & 1; }
	static bool loaded(uint32_t status) { return status & 2; }

	uint32_t read(uint32_t address) {
		top.p_s__axil__araddr.template set<uint32_t>(address);
		read_address = read_wait = true;
		while (read_wait)
			tick();
		return data;
	}

	void write(uint32_t address, uint32_t value) {
		top.p_s__axil__awaddr.template set<uint32_t>(address);
		top.p_s__axil__wdata.template set<uint32_t>(value);
		top.p_s__axil__wstrb.template set<uint32_t>(0xF);
		write_address = write_data = write_wait = true;
		while (write_wait)
			tick();
	}

	// xorshift64*
	bool stalled() {
		if (!stall)
			return false;
		random ^= random >> 12;
		random ^= random << 25;
		random ^= random >> 27;
		return ((random * 0x2545F4914F6CDD1D) >> 32) < stall;
	}

	// Raises valid where something is there to be sent. Once raised it stays until it is taken.
	template<class Port> void offer(Port &valid, bool there) {
		valid.template set<bool>(there && (high(valid) || !stalled()));
	}

	void tick() {
		if (cycles >= limit)
			throw HANG;
		if (program.rest())
			put(top.p_s__axis__program__tdata, program.bytes + program.next * 4);
		if (input.rest())
			put(top.p_s__axis__input__tdata, input.bytes + input.next * input_bytes());
		offer(top.p_s__axis__program__tvalid, program.rest());
		offer(top.p_s__axis__input__tvalid, input.rest());
		offer(top.p_s__axil__awvalid, write_address);
		offer(top.p_s__axil__wvalid, write_data);
		offer(top.p_s__axil__arvalid, read_address);
		top.p_s__axis__program__tlast.template set<bool>(program.last());
		top.p_s__axis__input__tlast.template set<bool>(input.last());
		top.p_m__axis__output__tready.template set<bool>(!stalled());
		top.p_s__axil__bready.template set<bool>(!stalled());
		top.p_s__axil__rready.template set<bool>(!stalled());
		settle();

		bool program_taken = high(top.p_s__axis__program__tvalid) && high(top.p_s__axis__program__tready);
		bool input_taken = high(top.p_s__axis__input__tvalid) && high(top.p_s__axis__input__tready);
		bool address_taken = high(top.p_s__axil__awvalid) && high(top.p_s__axil__awready);
		bool data_taken = high(top.p_s__axil__wvalid) && high(top.p_s__axil__wready);
		bool question_taken = high(top.p_s__axil__arvalid) && high(top.p_s__axil__arready);
		if (high(top.p_m__axis__output__tvalid) && high(top.p_m__axis__output__tready))
			collect();
		if (high(top.p_s__axil__bvalid) && high(top.p_s__axil__bready))
			answer(top.p_s__axil__bresp, write_wait);
		if (high(top.p_s__axil__rvalid) && high(top.p_s__axil__rready)) {
			answer(top.p_s__axil__rresp, read_wait);
			data = word(top.p_s__axil__rdata);
		}
		advance();
		cycles++;

		take(top.p_s__axis__program__tvalid, program_taken, program.next);
		take(top.p_s__axis__input__tvalid, input_taken, input.next);
		take(top.p_s__axil__awvalid, address_taken, write_address);
		take(top.p_s__axil__wvalid, data_taken, write_data);
		take(top.p_s__axil__arvalid, question_taken, read_address);
	}

	template<class Port> void take(Port &valid, bool taken, size_t &next) {
		if (taken) {
			valid.template set<bool>(false);
			next++;
		}
	}

	template<class Port> void take(Port &valid, bool taken, bool &wanted) {
		if (taken) {
			valid.template set<bool>(false);
			wanted = false;
		}
	}

	void collect() {
		if (ended)
			throw OVERRUN;
		const auto &beat = now(top.p_m__axis__output__tdata);
		for (size_t n = 0; n < output_values(); n++)
			values.push_back(int16_t(beat.data[n / 2] >> (16 * (n % 2))));
		ended = high(top.p_m__axis__output__tlast);
	}

	template<class Port> void answer(const Port &response, bool &wait) {
		if (word(response) || !wait)
			throw REFUSED;
		wait = false;
	}

#if defined(TRACE) || defined(FEEDBACK)
	void settle() { clock(false); }
	void advance() { clock(true); }

	void clock(bool level) {
		top.p_clk.template set<bool>(level);
		top.step();
#ifdef TRACE
		if (cycles < trace_cycles) {
			vcd.sample(10 * cycles + 5 * level);
			file << vcd.buffer;
			vcd.buffer.clear();
			if (cycles + 1 == trace_cycles)
				file.flush();
		}
#endif
	}
#else
	void settle() {
		top.p_clk.template set<bool>(true);	// compiled.py keeps what it was before low
		top.eval();
	}

	void advance() { top.commit(); }
#endif

#ifdef TRACE
	debug_items items;
	vcd_writer vcd;
	std::ofstream file;
	uint64_t trace_cycles = 0;
#endif
};

} // namespace

extern "C" {

Simulator *simulator_create(uint32_t stall_percent, uint64_t seed, uint64_t max_cycles) {
	return new Simulator(stall_percent, seed, max_cycles);
}

void simulator_destroy(Simulator *simulator) { delete simulator; }

size_t simulator_input_bytes(const Simulator *simulator) { return simulator->input_bytes(); }

uint64_t simulator_cycles(const Simulator *simulator) { return simulator->cycles; }

// Negative: a Failure. Positive: the engine's error. The same for `load` and `run`.
int simulator_reset(Simulator *simulator) {
	try {
		return simulator->reset();
	} catch (Failure failure) {
		return failure;
	}
}

int simulator_load(Simulator *simulator, const uint32_t *words, size_t count, uint32_t *cycles) {
	try {
		int code = simulator->load(words, count);
		*cycles = simulator->program_cycles;
		return code;
	} catch (Failure failure) {
		return failure;
	}
}

int simulator_run(Simulator *simulator, const uint8_t *bytes, size_t beats, uint32_t cycles[2]) {
	try {
		int code = simulator->run(bytes, beats);
		cycles[0] = simulator->load_cycles;
		cycles[1] = simulator->run_cycles;
		return code;
	} catch (Failure failure) {
		return failure;
	}
}

size_t simulator_values(const Simulator *simulator, const int16_t **values) {
	*values = simulator->values.data();
	return simulator->values.size();
}

int simulator_trace(Simulator *simulator, const char *path, uint64_t count) {
#ifdef TRACE
	try {
		simulator->trace(path, count);
		return 0;
	} catch (Failure failure) {
		return failure;
	}
#else
	(void)simulator, (void)path, (void)count;
	return TRACE_FILE;
#endif
}

} // extern "C"
