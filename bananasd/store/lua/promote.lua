-- promote: move due jobs to the back of their lanes, the earliest first.
--
-- KEYS  1 scheduled
-- ARGV  1 key prefix   2 how many at most
-- Returns {how many were moved, ms until the next one is due (0: there are more now, -1: none is scheduled)}.
--!include now
--!include lanes
--!include ends
--!include bury
local scheduled, prefix = KEYS[1], ARGV[1]
local now = now_ms()
local ids = redis.call('ZRANGEBYSCORE', scheduled, '-inf', now, 'LIMIT', 0, ARGV[2])
for _, id in ipairs(ids) do
  redis.call('ZREM', scheduled, id)
  local job = prefix .. 'job:' .. id
  local f = redis.pcall('HMGET', job, 'status', 'lane', 'waiters')
  if not f[1] or not f[2] then
    bury_unreadable(prefix, f[2] or 'default:normal', id, now, 'its record is missing or unreadable')
  elseif f[1] == 'scheduled' then
    redis.call('HSET', job, 'status', 'pending', 'updated_at', now)
    to_lane(prefix, f[2], 'RPUSH', id)
    tell_change(prefix, id, f[3])
  end
end
local first = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')
if not first[2] then return { #ids, -1 } end
return { #ids, math.max(0, math.ceil(first[2] - now)) }
