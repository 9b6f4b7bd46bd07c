-- Putting an id into the scheduled set; a due time earlier than all others wakes the scheduler.
local function schedule(prefix, id, due_at)
  local scheduled = prefix .. 'scheduled'
  redis.call('ZADD', scheduled, due_at, id)
  if redis.call('ZRANGE', scheduled, 0, 0)[1] == id and redis.call('EXISTS', prefix .. 'wake:scheduled') == 0 then
    redis.call('RPUSH', prefix .. 'wake:scheduled', '1')
  end
end
