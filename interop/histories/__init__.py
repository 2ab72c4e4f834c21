"""What clients saw of an ensemble, what its servers have on their disks, and whether the two are in order.

`clients.py` records (`history.py`); `disk.py` reads what servers wrote with nothing but the formats' description;
`committed.py` makes one history of what several disks hold; `model.py` says what each transaction of it must do;
`checker.py`, `watches.py` and `linear.py` compare.
"""
