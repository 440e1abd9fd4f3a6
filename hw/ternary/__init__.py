"""The ternary engine: Sparse Addition Control Unit and column array."""
