"""What is kept: rows with their versions, deletions, associations; and what a write does."""
