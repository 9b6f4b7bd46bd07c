-- submit: accept new jobs; an id that is already known is left as it is, so repeating the call is harmless.
--
-- Of the jobs with a unique key one alone lives at a time: another is not accepted, or takes the place of one that waits.
--
-- KEYS  1 scheduled (routes the call; every other key is derived from the prefix)
-- ARGV  1 key prefix   2.. words by five: id, spec, lane, due ("" at once, "+N" in N ms, else ms since the epoch), extra
--       ("" or a JSON object: expires_in, how many ms after it is due a run may begin; unique, its key; unique_ms, how long
--       it may have that at most; unique_until, "end" or "start"; on_duplicate, "replace" to cancel a job that has the key
--       and waits, else "return" or "raise")
-- Returns {how many of the jobs were new}, then pairs: the position, from 0, of a job that was not accepted since its key
-- is taken, and the id that has it. With words that cannot be right it fails, and nothing has been done.
--!include lanes
--!include lane_name
local prefix, n, new = ARGV[1], (#ARGV - 1) / 5, 0
if KEYS[1] ~= prefix .. 'scheduled' then
  return redis.error_reply('BADJOB the prefix does not fit the key: ' .. prefix)
end
if n > 1000 then return redis.error_reply('BADJOB 1000 jobs a call at most, and these are ' .. n) end

local extras, sound_lane
for i = 2, #ARGV, 5 do
  local id, lane, due, extra, fault = ARGV[i], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], nil
  if not extra then
    return redis.error_reply('BADJOB each job takes five words: id, spec, lane, due, extra')
  elseif #id ~= 36 or not string.find(id, '^[0-9a-f-]+$') then
    fault = 'its id is no UUID in lower case'
  elseif lane ~= sound_lane and not is_lane(lane) then
    fault = 'its lane is no QUEUE:PRIORITY: ' .. lane
  elseif due ~= '' or extra ~= '' then
    --!include due
    --!include extra
    if due ~= '' and not is_due_time(due) then fault = 'its due is no number of milliseconds: ' .. due end
    extras = extras or {}
    if extra ~= '' and not fault then extras[i], fault = read_extra(extra) end
  end
  if fault then return redis.error_reply('BADJOB job ' .. id .. ': ' .. fault) end
  sound_lane = lane
end

-- A job for later, or with an extra. Returns nothing, or if it is not accepted who has its key.
local accept
if extras then
  --!include now
  --!include due
  --!include schedule
  --!include expiry
  --!include ends
  --!include cancel
  --!include unique
  local now = now_ms()

  accept = function(extra, id, job, spec, lane, due)
    local owner, f
    if extra.unique then owner, f = owner_of(prefix, extra.unique, now) end
    local is_replaced = owner and extra.on_duplicate == 'replace' and f.status ~= 'processing'
    if owner and not is_replaced then return owner end
    -- The new one first: a full server refuses it, and then the old one must still be there.
    local due_at = due == '' and now or due_time(due, now)
    local is_due = due_at <= now
    local fields = { 'spec', spec, 'lane', lane, 'status', is_due and 'pending' or 'scheduled', 'due_at', due_at }
    redis.call('HSET', job, unpack(fields, 1, due == '' and 6 or 8))
    if is_due then to_lane(prefix, lane, 'RPUSH', id) else schedule(prefix, id, due_at) end
    if extra.expires_in then limit_wait(job, math.floor(extra.expires_in), math.max(now, due_at)) end
    -- No setting gets here, so a job that is replaced is kept for a day.
    if is_replaced then cancel_waiting(prefix, owner, f, now, 86400000) end
    if extra.unique then claim_key(prefix, id, job, extra) end
  end
end

-- Of many nearly always none is known: then it is enough to see which one stands here twice.
local seen
if n > 1 then
  local jobs = {}
  for i = 2, #ARGV, 5 do jobs[#jobs + 1] = prefix .. 'job:' .. ARGV[i] end
  if redis.call('EXISTS', unpack(jobs)) == 0 then seen = {} end
end

-- Ids for one lane go there together.
local ids, ids_lane = {}, nil
local function push()
  if ids[1] then to_lane(prefix, ids_lane, 'RPUSH', unpack(ids)) end
  ids = {}
end

local out = { 0 }
for i = 2, #ARGV, 5 do
  local id, spec, lane, due = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local job, is_known, owner = prefix .. 'job:' .. id, nil, nil
  if seen then is_known = seen[id] else is_known = redis.call('EXISTS', job) == 1 end
  if not is_known then
    if extras or lane ~= ids_lane then push() end
    if due == '' and not (extras and extras[i]) then
      redis.call('HSET', job, 'spec', spec, 'lane', lane, 'status', 'pending')
      ids_lane, ids[#ids + 1] = lane, id
    else
      owner = accept(extras[i] or {}, id, job, spec, lane, due)
    end
    if owner then
      out[#out + 1] = (i - 2) / 5
      out[#out + 1] = owner
    else
      new = new + 1
      if seen then seen[id] = true end
    end
  end
end
push()
if new > 0 then redis.call('HINCRBY', prefix .. 'stats', 'submitted', new) end
out[1] = new
return out
