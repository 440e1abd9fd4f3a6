"""Simulation: cocotb benches and the compiled simulator."""
