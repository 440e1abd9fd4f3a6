"""Golden models of SmartExchange: weights as sparse powers of two times a small basis."""
