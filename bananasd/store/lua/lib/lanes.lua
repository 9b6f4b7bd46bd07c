-- Putting ids into lanes. A lane is named QUEUE:PRIORITY; every push ensures that a token lies on its wake list, unless its
-- queue is paused. (EXISTS counts a key as often as it is named, so one call tells of both keys.)
--!include pauses
local function wake(prefix, lane)
  local tokens, paused = prefix .. 'wake:' .. lane, prefix .. 'paused'
  local found = redis.call('EXISTS', tokens, paused, paused)
  if found % 2 == 1 then return end
  if found > 0 and is_paused(prefix, string.match(lane, '^[^:]*'), now_ms()) then return end
  redis.call('RPUSH', tokens, '1')
end

local function announce_queue(prefix, lane)
  redis.call('SADD', prefix .. 'queues', string.match(lane, '^[^:]*'))
end

local function to_back(prefix, lane, id)
  if redis.call('RPUSH', prefix .. 'ready:' .. lane, id) == 1 then announce_queue(prefix, lane) end
  wake(prefix, lane)
end

local function to_front(prefix, lane, id)
  if redis.call('LPUSH', prefix .. 'ready:' .. lane, id) == 1 then announce_queue(prefix, lane) end
  wake(prefix, lane)
end
