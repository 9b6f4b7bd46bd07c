-- The end of a job that was told to end while it ran, however its run has ended; f: what its record says, as for note_end.
-- Its id is in no list any more.
local function end_as_cancelled(prefix, id, now, keep, f)
  local job = prefix .. 'job:' .. id
  redis.call('HDEL', job, 'holder')
  redis.call('HSET', job, 'status', 'cancelled', 'finished_at', now, 'updated_at', now)
  redis.call('PEXPIRE', job, keep)
  redis.call('HINCRBY', prefix .. 'stats', 'cancelled', 1)
  note_end(prefix, id, f)
end
