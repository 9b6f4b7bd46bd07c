-- resume: end the pause of a queue, or that of everything, and wake those who wait for its jobs. A queue that is paused in
-- another way, too, stays so.
--
-- KEYS  1 paused   2 queues
-- ARGV  1 key prefix   2 queue, "*" for all
-- Returns 1 if this call ended a pause, else 0.
--!include now
--!include lanes
local prefix, name, now = ARGV[1], ARGV[2], now_ms()
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZREM', KEYS[1], name) == 0 then return 0 end

local function wake_lanes(queue)
  for _, priority in ipairs({ 'high', 'normal', 'low' }) do
    local lane = queue .. ':' .. priority
    if redis.call('EXISTS', prefix .. 'ready:' .. lane) == 1 then wake(prefix, lane) end
  end
end

for _, queue in ipairs(name == '*' and redis.call('SMEMBERS', KEYS[2]) or { name }) do wake_lanes(queue) end
return 1
