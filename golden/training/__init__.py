"""The training engine: convolutional networks trained in integers, forward, backward and update."""
