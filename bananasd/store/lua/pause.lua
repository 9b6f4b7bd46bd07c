-- pause: let no job of a queue begin, or none at all, for a time or until it is resumed. What runs goes on.
--
-- KEYS  1 paused
-- ARGV  1 queue, "*" for all   2 for how many ms, "" for good
-- Returns 1.
--!include now
local now = now_ms()
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], ARGV[2] == '' and '+inf' or now + tonumber(ARGV[2]), ARGV[1])
return 1
