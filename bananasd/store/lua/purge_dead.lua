-- purge_dead: delete dead jobs with their records.
--
-- KEYS  1 dead
-- ARGV  1 key prefix   2.. ids
-- Returns how many were deleted; an id that lies there by mistake, whose job lives, is not counted.
--!include dead
local prefix, purged = ARGV[1], 0
for i = 2, #ARGV do
  local id = ARGV[i]
  if redis.call('ZSCORE', KEYS[1], id) and delete_dead(prefix, id) then purged = purged + 1 end
end
return purged
