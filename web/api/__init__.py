"""The API: JSON in, JSON out, problem documents when refused."""
