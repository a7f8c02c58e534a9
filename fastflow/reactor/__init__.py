"""Acts on the world: takes runs from the queue, starts their containers and sees each through to its end."""
