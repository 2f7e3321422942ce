"""What Dovetail remembers: one module per table, with its frozen row type and its transitions.

Row modules are pure and import nothing of ours but each other. Only ``store`` and ``registry``
know Faust and RocksDB.
"""
