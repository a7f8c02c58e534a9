"""Pages, forms, API and live updates: it asks and reads, it neither runs containers nor appends events."""
