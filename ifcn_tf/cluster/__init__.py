"""Many photographs on many machines, by Ray Data: each actor has a predictor, and writes what it finds itself."""
