<<<<<<< HEAD
"""The SmartExchange engine: sparse power-of-two coefficients times a small basis."""
=======
"""Golden models of SmartExchange: weights as sparse powers of two times a small basis."""
>>>>>>> semodels
