"""What tables are: columns, keys, relationships, states; their definitions; and column values."""
