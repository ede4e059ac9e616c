"""The trainer: features of tracks × head → a fitted head.

`fit` fits a head, `fitted_head` keeps it and reads it back. `head_spec`, `tracking` and `processes`
import neither numpy nor torch.
"""
