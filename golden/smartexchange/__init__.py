"""The SmartExchange engine: sparse power-of-two coefficients times a small basis."""
