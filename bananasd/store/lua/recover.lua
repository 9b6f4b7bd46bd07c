-- recover: end a holder that is gone (or left by its own worker) and put what it held back to the front of its lanes.
-- A job that has been told to end is cancelled, whatever is charged.
--
-- The holder is removed in the call that empties its list: a late claim of a dead or frozen worker finds no holder.
-- Of a list over 1000 ids it takes 1000 and is to be called again.
--
-- KEYS  1 held list of the holder   2 holders   3 nodes
-- ARGV  1 key prefix   2 holder
--       3 what is charged: "nothing"; "lost": job 4 was lost with its worker; "failed": job 4 was killed for its time;
--         "all": the host is lost and nobody knows which job ran, so each counts as lost
--         Whatever that says, a guarded run is over with its first loss, for it must not be repeated: its job is dead.
--         Not if there is no cause: so its own worker puts back what it knows not to have begun.
--       4 id of the job that ran, or ""   5 cause, for people   6 max_recoveries
--       7 delay in ms before a "failed" job comes back, -1: it has no tries left
--       8 node of the caller if the holder's node is to be judged by its lease, else ""   9 lease in ms
--      10 node of the holder   11 ms to keep a failure for those who wait   12 ms to keep a cancelled job
-- Returns {"refused"} if the leases do not allow it, else {"done" or "more", then pairs of id, what became of it:
-- "requeued", "retried", "dead", "cancelled"}.
--!include now
--!include count
--!include lanes
--!include schedule
--!include ends
--!include bury
--!include cancelled
local held, prefix, holder, charge, ran, cause = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local max_recoveries, delay, caller, lease = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8], tonumber(ARGV[9])
local now = now_ms()

-- Another node's jobs are taken only when its lease is over, and only by a node that itself has beaten without a gap for
-- a whole lease: after an outage or a frozen server nobody has, so nobody steals.
local function may_take_over()
  if tonumber(redis.call('ZSCORE', KEYS[3], ARGV[10]) or '0') >= now then return false end
  if tonumber(redis.call('ZSCORE', KEYS[3], caller) or '0') < now then return false end
  local beat = redis.call('HMGET', prefix .. 'node:' .. caller, 'beat_at', 'alive_since')
  if not beat[1] or not beat[2] then return false end
  return now - beat[1] <= lease / 2 and now - beat[2] >= lease
end

local function count_as_lost(id, job, own, limit)
  redis.call('HINCRBY', prefix .. 'stats', 'lost', 1)
  if count_up(job, 'recoveries') >= limit then
    -- Of one that had ended before that which ran the worker alone knew how.
    bury(prefix, id, now, (ran == '' or ran == id) and cause or 'how it ended was not reported: ' .. cause, own,
      ARGV[11])
    return 'dead'
  end
  redis.call('HSET', job, 'status', 'pending', 'updated_at', now, 'error', cause)
  to_lane(prefix, own.lane, 'LPUSH', id)
  tell_change(prefix, id, own.waiters)
  return 'requeued'
end

local function count_as_failed(id, job, own)
  count_up(job, 'attempts')
  if delay < 0 then
    bury(prefix, id, now, cause, own, ARGV[11])
    return 'dead'
  end
  redis.call('HSET', job, 'status', 'scheduled', 'due_at', now + delay, 'updated_at', now, 'error', cause)
  schedule(prefix, id, now + delay)
  redis.call('HINCRBY', prefix .. 'stats', 'retried', 1)
  tell_change(prefix, id, own.waiters)
  return 'retried'
end

local function put_back(id, job, own)
  redis.call('HSET', job, 'status', 'pending', 'updated_at', now)
  to_lane(prefix, own.lane, 'LPUSH', id)
  tell_change(prefix, id, own.waiters)
  return 'requeued'
end

local function recover_one(id)
  local job = prefix .. 'job:' .. id
  local f = redis.pcall('HMGET', job, 'status', 'holder', 'lane', 'run', 'guarded_run', 'waiters', 'unique', 'cancel')
  if not f[1] or not f[3] then
    bury_unreadable(prefix, f[3] or 'default:normal', id, now, 'its record is missing or unreadable')
    return 'dead'
  end
  if f[1] ~= 'processing' or f[2] ~= holder then return nil end
  redis.call('HDEL', job, 'holder')
  local own = { lane = f[3], waiters = f[6], unique = f[7] }
  if f[8] then
    end_as_cancelled(prefix, id, now, ARGV[12], own)
    return 'cancelled'
  end
  if charge == 'failed' and id == ran then return count_as_failed(id, job, own) end
  if cause ~= '' and f[5] and f[5] == f[4] then return count_as_lost(id, job, own, 1) end
  if charge == 'all' or (charge == 'lost' and id == ran) then return count_as_lost(id, job, own, max_recoveries) end
  return put_back(id, job, own)
end

if caller ~= '' and not may_take_over() then return { 'refused' } end
local out = { 'done' }
for _ = 1, 1000 do
  -- From the tail, each to the front: so they keep their order.
  local id = redis.call('RPOP', held)
  if not id then break end
  local outcome = recover_one(id)
  if outcome then
    out[#out + 1] = id
    out[#out + 1] = outcome
  end
end
if redis.call('EXISTS', held) == 1 then
  out[1] = 'more'
else
  redis.call('SREM', KEYS[2], holder)
end
return out
