"""Golden models of recurrent networks (LSTM, GRU) whose matrices are block-circulant."""
