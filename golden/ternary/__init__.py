"""Golden model of the ternary engine (FAT)."""
