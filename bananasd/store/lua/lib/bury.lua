-- Putting a job into the dead letters. Its record stays until it is retried, purged or trimmed. For those who wait its
-- failure stands for `keep` ms under the key of its result, too, whatever becomes of the record: "!", the time, the reason.
local function bury(prefix, id, now, reason, f, keep)
  redis.call('HSET', prefix .. 'job:' .. id, 'status', 'failed', 'error', reason, 'finished_at', now, 'updated_at', now)
  redis.call('HDEL', prefix .. 'job:' .. id, 'holder')
  redis.call('ZADD', prefix .. 'dead', now, id)
  redis.call('HINCRBY', prefix .. 'stats', 'dead', 1)
  if f.waiters then
    redis.call('SET', prefix .. 'result:' .. id, string.format('!%.0f %s', now, reason), 'PX', keep)
  end
  note_end(prefix, id, f)
end

-- The same for an id whose record is missing or is no record: a stub with the reason stands in for it. No setting gets
-- here, so its failure is kept for a day.
local function bury_unreadable(prefix, lane, id, now, reason)
  local job = prefix .. 'job:' .. id
  if redis.call('TYPE', job).ok ~= 'hash' then redis.call('DEL', job) end
  redis.call('HSETNX', job, 'lane', lane)
  redis.call('PERSIST', job)
  local f = redis.call('HMGET', job, 'waiters', 'unique')
  bury(prefix, id, now, reason, { waiters = f[1], unique = f[2] }, 86400000)
end
