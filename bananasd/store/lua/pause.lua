-- pause: let no job of a queue begin, or none at all, for a time or until it is resumed. What runs goes on.
--
-- KEYS  1 paused
-- ARGV  1 queue, "*" for all   2 for how many ms, "" for good
-- Returns 1. With another word for the second it fails, and nothing has been done.
--!include now
local now, ms = now_ms(), ARGV[2] or ''
if not string.find(ms, '^%d*$') then return redis.error_reply('BADPAUSE a pause lasts a number of milliseconds: ' .. ms) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], ms == '' and '+inf' or now + tonumber(ms), ARGV[1])
return 1
