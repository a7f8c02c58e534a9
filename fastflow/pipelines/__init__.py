"""What a user writes: files and folders below PIPELINES_DIR become pipelines; mistakes get a line number."""
