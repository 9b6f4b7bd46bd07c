-- Putting ids into lanes. A lane is named QUEUE:PRIORITY; every push ensures that a token lies on its wake list, unless its
-- queue is paused. (EXISTS counts a key as often as it is named, so one call tells of both keys.)
local function wake(prefix, lane)
  local tokens, paused = prefix .. 'wake:' .. lane, prefix .. 'paused'
  local found = redis.call('EXISTS', tokens, paused, paused)
  if found % 2 == 1 then return end
  if found > 0 then
    --!include now
    --!include pauses
    if is_paused(prefix, string.match(lane, '^[^:]*'), now_ms()) then return end
  end
  redis.call('RPUSH', tokens, '1')
end

-- push: RPUSH to its back, LPUSH to its front, there the last one first.
local function to_lane(prefix, lane, push, ...)
  -- The first ones make its queue known.
  if redis.call(push, prefix .. 'ready:' .. lane, ...) == select('#', ...) then
    redis.call('SADD', prefix .. 'queues', string.match(lane, '^[^:]*'))
  end
  wake(prefix, lane)
end
