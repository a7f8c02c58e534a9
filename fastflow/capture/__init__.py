"""The log path: what a container prints becomes numbered lines in stored chunks, each exactly once."""
