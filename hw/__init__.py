"""Amaranth components, one small file each."""
