-- read_schedules: every schedule with its last slot, if they have changed since they were last read.
--
-- A schedule without a last slot begins now, and so does one whose last slot lies more than a day ahead: the server's clock
-- has been set back that far. By less, and its slots wait until the clock has passed them again.
--
-- KEYS  1 schedules   2 fired
-- ARGV  1 the version that is known ("" for none)
-- Returns {now, version}, and if that is another one, triples of name, definition, last slot in ms.
--!include now
local schedules, fired = KEYS[1], KEYS[2]
redis.call('HDEL', fired, '')
local now, version = now_ms(), redis.call('HGET', schedules, '') or '0'
local reply = { now, version }
if version == ARGV[1] then return reply end
local all = redis.call('HGETALL', schedules)
for i = 1, #all, 2 do
  local name = all[i]
  if name ~= '' then
    local last = tonumber(redis.call('HGET', fired, name) or '')
    if not last or not (last >= 0 and last <= now + 86400000) then
      last = now
      redis.call('HSET', fired, name, now)
    end
    local n = #reply
    reply[n + 1], reply[n + 2], reply[n + 3] = name, all[i + 1], math.floor(last)
  end
end
return reply
