"""`python -m smolpc` is the command `smolpc`."""

from smolpc.cli.main import main

main()
