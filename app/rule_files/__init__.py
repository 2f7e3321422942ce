"""The rule files: read, checked whole, and every fault told with file, line and fix.

loading.py       the way in: ``load_rules`` and ``read_rules``
yaml.py          YAML with line numbers; models.py: the parts of a rule, fault by fault
tables.py        ``tables.yaml``: tables, columns, processes, members
checks.py        what rules need of the tables and of each other
expressions.py   what CEL expressions and name patterns read
live.py          what only the systems themselves can tell
faults.py        a fault, its place and its fix
"""
