"""``dovetail demo``: the main job end to end on the sandbox, judged by an oracle.

truth.py     what happens in the imagined company: each record's life, and its contracts
erp.py       rows of finance and operations, lived through, and what their sources tell
history.py   the same as messages, in every format, shuffled, repeated and damaged
oracle.py    what has to be true in both systems afterwards, from the truth alone
stage.py     broker, simulated systems and the worker process
play.py      producing, watching, waiting for the end
report.py    what a person reads
run.py       all of it in order
"""
