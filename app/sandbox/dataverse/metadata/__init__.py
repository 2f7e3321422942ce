"""Tables, columns, keys and relationships as clients read and change them."""
