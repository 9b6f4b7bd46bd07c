-- claim: move up to n pending jobs from the lanes to a holder, in the order in which the lanes are given.
--
-- A suspect (a job that was lost with a worker before) is claimed alone. A cancelled id is dropped and its record gets
-- its retention; an id without a readable record is buried. It looks at 1000 ids at most, one that it buries
-- counting as five, and takes 1 MiB of specs at most.
--
-- KEYS  1 held list of the holder   2 holders   3 nodes   then the n lanes' ready lists, then their n wake lists
-- ARGV  1 key prefix   2 holder   3 node   4 n wanted   5 ms to keep a cancelled job   6.. the lanes' names
-- Returns {"gone"} if the holder is not admitted or its node's lease has ended, {"again"} if it stopped at 1000 ids with
-- nothing taken, else {"ok", now, then per job: lane number from 0, id, run, spec, attempts, recoveries, due_at}.
--!include now
--!include lanes
--!include ends
--!include bury
local function is_count(field) return not field or (#field <= 15 and string.find(field, '^%d+$')) end

-- Whether the worker, and every script that ends the run, will find what they need.
local function is_readable(f)
  return f[2] and f[7] and is_count(f[3]) and is_count(f[4]) and is_count(f[5]) and is_count(f[6])
end

local held, prefix, holder, want = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[4])
local now = now_ms()
if redis.call('SISMEMBER', KEYS[2], holder) == 0 then return { 'gone' } end
if tonumber(redis.call('ZSCORE', KEYS[3], ARGV[3]) or '0') < now then return { 'gone' } end

local lanes = (#KEYS - 3) / 2
local out, taken, looked, bytes, is_full = { 'ok', now }, 0, 0, 0, false
for lane = 1, lanes do
  local ready = KEYS[3 + lane]
  while not is_full do
    local id = redis.call('LPOP', ready)
    if not id then break end
    looked = looked + 1
    local job = prefix .. 'job:' .. id
    local f = redis.pcall('HMGET', job, 'status', 'spec', 'run', 'attempts', 'recoveries', 'due_at', 'lane', 'waiters')
    local status = f[1]
    if status == 'pending' and is_readable(f) then
      local is_suspect = f[5] and tonumber(f[5]) > 0
      if is_suspect and taken > 0 then
        redis.call('LPUSH', ready, id)
        is_full = true
      else
        local run = (tonumber(f[3]) or 0) + 1
        redis.call('RPUSH', held, id)
        redis.call('HSET', job, 'status', 'processing', 'started_at', now, 'holder', holder, 'run', run)
        tell_change(prefix, id, f[8])
        local n = #out
        out[n + 1] = lane - 1
        out[n + 2] = id
        out[n + 3] = run
        out[n + 4] = f[2]
        out[n + 5] = f[4] or '0'
        out[n + 6] = f[5] or '0'
        out[n + 7] = f[6] or ''
        taken = taken + 1
        bytes = bytes + #f[2]
        is_full = is_suspect or taken >= want or bytes >= 1048576
      end
    elseif status == 'cancelled' then
      redis.call('PEXPIRE', job, ARGV[5])
    elseif status == 'pending' or not status then
      bury_unreadable(prefix, ARGV[5 + lane], id, now, 'its record is missing or unreadable')
      looked = looked + 4
    end
    if looked >= 1000 then is_full = true end
  end
  if is_full then break end
end

if taken == 0 then return looked >= 1000 and { 'again' } or out end
for lane = 1, lanes do
  if redis.call('EXISTS', KEYS[3 + lane]) == 1 and redis.call('EXISTS', KEYS[3 + lanes + lane]) == 0 then
    redis.call('RPUSH', KEYS[3 + lanes + lane], '1')
  end
end
return out
