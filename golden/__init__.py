"""Golden models: number formats, compression, encodings and bit-exact integer models, in numpy alone."""
