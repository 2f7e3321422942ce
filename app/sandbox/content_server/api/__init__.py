"""The REST calls, one module per family; `table.ENDPOINTS` lists them all."""
