-- Ending a job that waits; f: its status, unique and waiters.
--
-- The id of a pending job stays in its lane (finding it there would cost a walk through the lane); its record therefore
-- keeps no TTL until the claim that drops the id sets it.
local function cancel_waiting(prefix, id, f, now, keep)
  local job = prefix .. 'job:' .. id
  redis.call('HDEL', job, 'holder')
  redis.call('ZREM', prefix .. 'scheduled', id)
  redis.call('HSET', job, 'status', 'cancelled', 'finished_at', now, 'updated_at', now)
  if f.status == 'scheduled' then redis.call('PEXPIRE', job, keep) end
  redis.call('HINCRBY', prefix .. 'stats', 'cancelled', 1)
  note_end(prefix, id, f)
end
