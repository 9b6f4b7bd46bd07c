-- remove_schedule: remove a schedule, whoever has put it. One of a configuration or a handler is back with their next start.
--
-- KEYS  1 schedules   2 fired   3 wake:scheduled
-- ARGV  1 name
-- Returns 1, or 0 if there is none of that name.
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HINCRBY', KEYS[1], '', 1)
if redis.call('EXISTS', KEYS[3]) == 0 then redis.call('RPUSH', KEYS[3], '1') end
return 1
