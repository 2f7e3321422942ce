"""What requests on rows do: create to delete, properties and links, bulk, actions, batches."""
