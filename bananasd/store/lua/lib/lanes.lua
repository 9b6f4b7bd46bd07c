-- Putting ids into lanes. A lane is named QUEUE:PRIORITY; every push ensures that a token lies on its wake list.
local function wake(prefix, lane)
  local tokens = prefix .. 'wake:' .. lane
  if redis.call('EXISTS', tokens) == 0 then redis.call('RPUSH', tokens, '1') end
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
