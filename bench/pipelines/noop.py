"""One line."""

print("hello")
