-- claim: move up to n pending jobs from the lanes to a holder, in the order in which the lanes are given.
--
-- Lanes of a paused queue are passed over. A suspect (a job that was lost with a worker before) is claimed alone. A cancelled
-- id is dropped and its record gets its retention, and so does a job that has expired; an id that its job has left behind
-- is dropped, too; an id without a readable record is buried. It looks at 1000 ids at most, one that expires counting as
-- two, one that it buries as five, and takes 1 MiB of specs at most.
--
-- KEYS  1 held list of the holder   2 holders   3 nodes   then the n lanes' ready lists, then their n wake lists
-- ARGV  1 key prefix   2 holder   3 node   4 n wanted, 1000 at most   5 ms to keep a job that was cancelled or expires
--       6.. the lanes' names
-- Returns {"gone"} if the holder is not admitted or its node's lease has ended, {"again"} if it stopped at 1000 ids with
-- nothing taken, else {"ok", now, then per job: lane number from 0, id, run, spec, attempts, recoveries, due_at}.
--!include now
local held, prefix, holder, keep = KEYS[1], ARGV[1], ARGV[2], ARGV[5]
local want = math.max(1, math.min(1000, tonumber(ARGV[4])))
local now, lanes = now_ms(), (#KEYS - 3) / 2
local out, taken, looked, bytes, expired, is_full = { 'ok', now }, {}, 0, 0, 0, false
local is_any_paused, is_any_moved

-- Whether the worker, and every script that ends the run, will find what they need.
local function is_readable(f)
  if not f[2] or not f[7] then return false end
  for i = 3, 8 do
    if i ~= 7 and f[i] and (#f[i] > 15 or not string.find(f[i], '^%d+$')) then return false end
  end
  return true
end

-- Whether nothing may be claimed from a lane. Asked only of one that holds ids, so idle workers need not ask; a pause that
-- is over is forgotten.
local function is_shut(lane)
  if is_any_paused == nil then
    is_any_paused = redis.call('EXISTS', prefix .. 'paused') == 1
    if is_any_paused then redis.call('ZREMRANGEBYSCORE', prefix .. 'paused', '-inf', now) end
  end
  if not is_any_paused then return false end
  --!include pauses
  return is_paused(prefix, string.match(ARGV[5 + lane], '^[^:]*'), now)
end

-- Ids that have been popped for nothing, back to the front of their lane.
local function put_back(ready, ids, first)
  local rest = {}
  for i = #ids, first, -1 do rest[#rest + 1] = ids[i] end
  if rest[1] then redis.call('LPUSH', ready, unpack(rest)) end
end

-- Deal with an id of which no run may begin; whether it is one.
local function pass_over(lane, id, job, f)
  local status, lane_name = f[1], ARGV[5 + lane]

  -- Whether this is one of the ids that its job has left behind in lanes, which then is one less. Of a cancelled job the
  -- one in its own lane is not, until the record has got its retention for it.
  local function is_left_behind()
    local moved = prefix .. 'moved'
    if is_any_moved == nil then is_any_moved = redis.call('EXISTS', moved) == 1 end
    local count = is_any_moved and tonumber(redis.call('HGET', moved, id)) or 0
    if count < 1 then return false end
    if status == 'cancelled' and f[7] == lane_name and redis.call('PTTL', job) < 0 then return false end
    if count > 1 then redis.call('HSET', moved, id, count - 1) else redis.call('HDEL', moved, id) end
    return true
  end

  if (status ~= 'pending' or f[7] ~= lane_name) and is_left_behind() then return true end
  if status == 'pending' and is_readable(f) then
    if not f[8] or tonumber(f[8]) >= now then return false end
    --!include ends
    redis.call('HSET', job, 'status', 'expired', 'finished_at', now, 'updated_at', now)
    redis.call('PEXPIRE', job, keep)
    note_end(prefix, id, { waiters = f[9], unique = f[10] })
    expired, looked = expired + 1, looked + 1
  elseif status == 'pending' or not status then
    --!include ends
    --!include bury
    bury_unreadable(prefix, lane_name, id, now, 'its record is missing or unreadable')
    looked = looked + 4
  elseif status == 'cancelled' then
    redis.call('PEXPIRE', job, keep)
  end
  return true
end

if redis.call('SISMEMBER', KEYS[2], holder) == 0 then return { 'gone' } end
if tonumber(redis.call('ZSCORE', KEYS[3], ARGV[3]) or '0') < now then return { 'gone' } end

local first_left = lanes + 1
for lane = 1, lanes do
  local ready, lane_name = KEYS[3 + lane], ARGV[5 + lane]
  local ids = redis.call('LPOP', ready, want - #taken)
  if ids and is_shut(lane) then
    put_back(ready, ids, 1)
    ids = nil
  end
  while ids do
    local at = 0
    repeat
      at = at + 1
      looked = looked + 1
      local id = ids[at]
      local job = prefix .. 'job:' .. id
      local f = redis.pcall('HMGET', job, 'status', 'spec', 'run', 'attempts', 'recoveries', 'due_at', 'lane', 'expires_at',
        'waiters', 'unique')
      local is_suspect = f[5] and (tonumber(f[5]) or 0) > 0
      local is_plain = f[1] == 'pending' and f[7] == lane_name and is_readable(f) and not (f[8] and tonumber(f[8]) < now)
      if not is_plain and pass_over(lane, id, job, f) then
        -- Nothing of it is left to be done.
      elseif is_suspect and taken[1] then
        at = at - 1
        is_full = true
      else
        local run, n = (tonumber(f[3]) or 0) + 1, #out
        redis.call('HSET', job, 'status', 'processing', 'started_at', now, 'holder', holder, 'run', run)
        if f[9] or f[10] then
          --!include ends
          note_start(prefix, id, f[10])
          tell_change(prefix, id, f[9])
        end
        out[n + 1] = lane - 1
        out[n + 2] = id
        out[n + 3] = run
        out[n + 4] = f[2]
        out[n + 5] = f[4] or '0'
        out[n + 6] = f[5] or '0'
        out[n + 7] = f[6] or ''
        taken[#taken + 1] = id
        bytes = bytes + #f[2]
        is_full = is_suspect or #taken >= want or bytes >= 1048576
      end
      is_full = is_full or looked >= 1000
    until is_full or at == #ids
    put_back(ready, ids, at + 1)
    ids = not is_full and redis.call('LPOP', ready, want - #taken)
  end
  if is_full then
    first_left = lane
    break
  end
end
if taken[1] then redis.call('RPUSH', held, unpack(taken)) end
if expired > 0 then redis.call('HINCRBY', prefix .. 'stats', 'expired', expired) end
if not taken[1] then return looked >= 1000 and { 'again' } or out end

-- Ensure a token for each lane that is left and not empty. One command tells of three lanes: EXISTS counts a key as often
-- as it is named.
for first = first_left, lanes, 3 do
  local a, b, c = unpack(KEYS, 3 + first, math.min(5 + first, 3 + lanes))
  local sum = c and redis.call('EXISTS', a, b, b, c, c, c, c) or b and redis.call('EXISTS', a, b, b) or redis.call('EXISTS', a)
  for lane = first, first + 2 do
    local tokens = KEYS[3 + lanes + lane]
    if sum % 2 == 1 and not is_shut(lane) and redis.call('EXISTS', tokens) == 0 then redis.call('RPUSH', tokens, '1') end
    sum = math.floor(sum / 2)
  end
end
return out
