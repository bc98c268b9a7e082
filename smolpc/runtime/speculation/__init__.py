"""Guess the next tokens and let the model check them all in one batch.

`lookup` guesses from what has been seen, `pace` decides how many guesses pay, `drafter` joins
them for one answer, `exact` says whether the engine computes a batch as it computes single
tokens: only then is the answer certain to be the same.
"""
