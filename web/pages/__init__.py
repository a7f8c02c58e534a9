"""The pages: each endpoint takes its frame first, then asks the read models, then renders."""
