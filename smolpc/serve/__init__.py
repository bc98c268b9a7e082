"""The artifact's llama-server as a well-behaved child: for other programs, and for classes."""
