"""A conversation in the terminal: what is kept, what the commands do, and the thin shell."""
