"""The services that are measured side by side."""
