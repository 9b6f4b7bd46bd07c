-- submit: accept new jobs; an id that is already known is left as it is, so repeating the call is harmless.
--
-- KEYS  1 scheduled (routes the call; every other key is derived from the prefix)
-- ARGV  1 key prefix   2.. words by five: id, spec, lane, due ("" at once, "+N" in N ms, else ms since the epoch; what is
--       no number means at once), extra ("" or a JSON object: expires_in, how many ms after it is due a run may begin)
-- Returns {how many of the jobs were new}. With words that cannot be right it fails, and nothing has been done.
--!include now
--!include lanes
--!include schedule
--!include due
--!include expiry
local MAX_MS = 1e14
local prefix, now, new = ARGV[1], now_ms(), 0

-- Why an extra will not do, else nothing.
local function complaint(extra)
  if type(extra) ~= 'table' then return 'it is no JSON object' end
  local ms = extra.expires_in
  if ms ~= nil and not (type(ms) == 'number' and ms >= 0 and ms <= MAX_MS) then
    return 'its expires_in is no number of milliseconds'
  end
end

-- The extras by the index of their job's id, or an error to return.
local function read_extras()
  if (#ARGV - 1) % 5 ~= 0 then return nil, 'each job takes five words: id, spec, lane, due, extra' end
  local extras = {}
  for i = 2, #ARGV, 5 do
    if ARGV[i + 4] ~= '' then
      local is_json, extra = pcall(cjson.decode, ARGV[i + 4])
      local fault = complaint(is_json and extra)
      if fault then return nil, 'extra of job ' .. ARGV[i] .. ': ' .. fault end
      extras[i] = extra
    end
  end
  return extras
end

local extras, fault = read_extras()
if fault then return redis.error_reply('BADJOB ' .. fault) end
for i = 2, #ARGV, 5 do
  local id, spec, lane, due = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local job, extra = prefix .. 'job:' .. id, extras[i]
  if redis.call('EXISTS', job) == 0 then
    new = new + 1
    local due_at = now
    if due == '' then
      redis.call('HSET', job, 'spec', spec, 'lane', lane, 'status', 'pending')
      to_back(prefix, lane, id)
    else
      due_at = due_time(due, now)
      local is_due = due_at <= now
      redis.call('HSET', job, 'spec', spec, 'lane', lane, 'status', is_due and 'pending' or 'scheduled', 'due_at', due_at)
      if is_due then to_back(prefix, lane, id) else schedule(prefix, id, due_at) end
    end
    if extra and extra.expires_in then limit_wait(job, math.floor(extra.expires_in), math.max(now, due_at)) end
  end
end
if new > 0 then redis.call('HINCRBY', prefix .. 'stats', 'submitted', new) end
return { new }
