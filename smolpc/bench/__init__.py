"""Fair measurements: the same file, the same prompts, in turns, with what the noise allows to say.

`scenarios` makes the questions, `players/` answer them, `run` takes turns and watches the
machine (`machine`), `schedule`, `drift` and `summary` are the statistics, `limit/` says what the
hardware could do, `report/` shows it.
"""
