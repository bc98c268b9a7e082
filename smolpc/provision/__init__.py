"""Setup as one job: choose (pure plan over detected facts), plan, then do.

target.py    what this machine should have: profile, engine, toolchain, key, model
steps.py     each kind of step: is it done, and how to do it
run.py       states, locks, threads, cancellation
doctor.py    what was found, what is missing, what fixes it
"""
