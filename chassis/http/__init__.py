"""Web: errors, strict JSON, pagination, OpenAPI, probes, and calls to other services."""
