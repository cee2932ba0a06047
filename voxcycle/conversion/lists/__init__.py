"""Lists of utterances, as toolkits for speech keep them: Kaldi, Lhotse, NeMo, tables.

A list is read as text and never run. After a conversion it is written again, in its own kind, with
the outputs in place of the recordings.
"""
