"""What every golden engine model shares."""
