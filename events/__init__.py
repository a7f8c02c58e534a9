"""The event log: what can happen, and how it is appended, read and followed.

Every action of Fast-Flow is an event in one PostgreSQL log. Positions are given out in commit order, so
"position > checkpoint" is all a follower needs; an event once visible never moves, changes or disappears.
"""
