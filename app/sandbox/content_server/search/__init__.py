"""Search by words and regions, in an index that follows the nodes (reference 8.1)."""
