"""The SmartExchange engine: shift-add columns and the basis combination."""
