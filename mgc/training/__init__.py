"""The trainer: features of tracks × head → a fitted head.

`fit` fits a head, `fitted_head` keeps it and reads it back; `fit_module` and `fitted_module` do so
for torch heads, and only they import torch. `head_spec`, `tracking` and `processes` import not even
numpy.
"""
