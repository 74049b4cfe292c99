"""AI Chat Service: an answer is never lost, never bought twice, and costs almost nothing to serve."""

__version__ = "0.1.0"
