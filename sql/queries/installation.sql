-- name: identity
-- Which installation this database belongs to: containers carry its name.
select id
from installation;
