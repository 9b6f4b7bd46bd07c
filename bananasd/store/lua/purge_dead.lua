-- purge_dead: delete dead jobs with their records.
--
-- KEYS  1 dead
-- ARGV  1 key prefix   2.. ids
-- Returns how many were deleted.
local prefix, purged = ARGV[1], 0
for i = 2, #ARGV do
  if redis.call('ZREM', KEYS[1], ARGV[i]) == 1 then
    redis.call('DEL', prefix .. 'job:' .. ARGV[i])
    purged = purged + 1
  end
end
return purged
