"""Speed and memory, measured where the code runs; `python -m pipelines.benchmark` prints them as JSON lines."""
