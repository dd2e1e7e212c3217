"""The tables of the papers, as data, and what makes them."""
