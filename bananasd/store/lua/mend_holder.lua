-- mend_holder: tell whether a holder is one that nobody would ever recover, and put back what it holds.
--
-- Such are one that holds jobs but is not admitted, and one whose node has gone without a word: no lease, or one that ended
-- long ago, and no beat since. Any other is its scheduler's, or that of another node. Nothing is counted against the jobs;
-- one whose run is guarded is dead, one that has been told to end is cancelled.
--
-- KEYS  1 held list of the holder   2 holders   3 nodes   4 node hash of its node
-- ARGV  1 key prefix   2 "1" to mend, "" to tell only   3 holder   4 its node   5 ms after which a node is given up
-- Returns {fault or "", how many ids it holds, "more" if it is to be called again else ""}. It takes 1000 ids at most.
--!include now
--!include lanes
--!include ends
--!include bury
--!include cancelled
local held, prefix, is_mending, holder = KEYS[1], ARGV[1], ARGV[2] == '1', ARGV[3]
redis.pcall('SREM', KEYS[2], '')
local now = now_ms()

local function is_stale()
  local since = now - tonumber(ARGV[5])
  if (tonumber(redis.pcall('ZSCORE', KEYS[3], ARGV[4]) or '0') or 0) >= since then return false end
  return (tonumber(redis.pcall('HGET', KEYS[4], 'beat_at') or '0') or 0) < since
end

local function fault_of()
  if redis.pcall('SISMEMBER', KEYS[2], holder) == 1 then return is_stale() and 'stale_holder' or '' end
  return redis.call('TYPE', held).ok == 'list' and 'not_admitted' or ''
end

local function put_back(id)
  local job = prefix .. 'job:' .. id
  local f = redis.pcall('HMGET', job, 'status', 'holder', 'lane', 'run', 'guarded_run', 'waiters', 'cancel', 'unique')
  if not f[1] then
    bury_unreadable(prefix, 'default:normal', id, now, 'its record is missing or unreadable')
  elseif f[1] == 'processing' and f[2] == holder and f[7] then
    -- No setting gets here, so its record is kept for a day.
    end_as_cancelled(prefix, id, now, 86400000, { waiters = f[6], unique = f[8] })
  elseif f[1] == 'processing' and f[2] == holder and f[5] and f[5] == f[4] then
    bury_unreadable(prefix, f[3] or 'default:normal', id, now, 'its run was lost with its holder, and must not be repeated')
  elseif f[1] == 'processing' and f[2] == holder then
    redis.call('HDEL', job, 'holder')
    redis.call('HSETNX', job, 'lane', 'default:normal')
    redis.call('HSET', job, 'status', 'pending', 'updated_at', now)
    to_lane(prefix, f[3] or 'default:normal', 'LPUSH', id)
  end
end

local fault, count = fault_of(), redis.pcall('LLEN', held)
if type(count) ~= 'number' then count = 0 end
if fault == '' or not is_mending then return { fault, count, '' } end
for _ = 1, 1000 do
  -- From the tail, each to the front: so they keep their order.
  local id = redis.call('RPOP', held)
  if not id then break end
  put_back(id)
end
if redis.call('EXISTS', held) == 1 then return { fault, count, 'more' } end
redis.call('SREM', KEYS[2], holder)
return { fault, count, '' }
