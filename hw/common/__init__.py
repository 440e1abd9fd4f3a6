"""Components that engines share."""
