"""The same requests to two servers, every byte that comes back compared.

A seed makes a sequence of steps (`generator`), a player sends them to one server and writes down what it
answers (`player`), what two right servers may answer differently is replaced by symbols (`symbols`), and
the first line in which two transcripts part is shown with the steps that led there (`compare`).
"""
