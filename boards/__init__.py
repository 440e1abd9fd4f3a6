"""Board tops, host link, synthesis and place-and-route."""
