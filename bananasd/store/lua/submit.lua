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
--!include now
--!include lanes
--!include lane_name
--!include schedule
--!include due
--!include expiry
--!include ends
--!include cancel
--!include unique
local MAX_MS = 1e14
-- No setting gets here, so a job that is replaced is kept for a day.
local KEEP_MS = 86400000
local prefix, now, new = ARGV[1], now_ms(), 0

local CHOICES = {
  unique_until = { ['end'] = 1, start = 1 },
  on_duplicate = { ['return'] = 1, raise = 1, replace = 1 },
}

local function is_ms(value, least) return type(value) == 'number' and value >= least and value <= MAX_MS end

-- Why an extra will not do, else nothing.
local function fault_of_extra(extra)
  if type(extra) ~= 'table' then return 'it is no JSON object' end
  if extra.expires_in ~= nil and not is_ms(extra.expires_in, 0) then return 'its expires_in is no number of milliseconds' end
  local key = extra.unique
  if key ~= nil and (type(key) ~= 'string' or key == '' or #key > 1000) then return 'its unique is no key of 1 to 1000 bytes' end
  if extra.unique_ms ~= nil and not is_ms(extra.unique_ms, 1) then return 'its unique_ms is no number of milliseconds' end
  for name, choices in pairs(CHOICES) do
    if extra[name] ~= nil and not choices[extra[name]] then return 'its ' .. name .. ' is none' end
  end
end

-- Why the words of a job will not do, else nothing.
local function fault_of(id, lane, due)
  if #id ~= 36 or string.find(id, '[^0-9a-f-]') then return 'its id is no UUID in lower case' end
  if not is_lane(lane) then return 'its lane is no QUEUE:PRIORITY: ' .. lane end
  if due ~= '' and not is_due_time(due) then return 'its due is no number of milliseconds: ' .. due end
end

-- The extras by the index of their job's id, or an error to return.
local function read_extras()
  if KEYS[1] ~= prefix .. 'scheduled' then return nil, 'the prefix does not fit the key: ' .. prefix end
  if (#ARGV - 1) % 5 ~= 0 then return nil, 'each job takes five words: id, spec, lane, due, extra' end
  local extras = {}
  for i = 2, #ARGV, 5 do
    local fault = fault_of(ARGV[i], ARGV[i + 2], ARGV[i + 3])
    if ARGV[i + 4] ~= '' and not fault then
      local is_json, extra = pcall(cjson.decode, ARGV[i + 4])
      fault = fault_of_extra(is_json and extra)
      if fault then fault = 'extra: ' .. fault end
      extras[i] = extra
    end
    if fault then return nil, 'job ' .. ARGV[i] .. ': ' .. fault end
  end
  return extras
end

local function accept(id, job, spec, lane, due, expires_in)
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
  if expires_in then limit_wait(job, math.floor(expires_in), math.max(now, due_at)) end
end

local function claim_key(id, job, extra)
  local ms = extra.unique_ms and math.floor(extra.unique_ms)
  redis.call('HSET', job, 'unique', (extra.unique_until or 'end') .. ' ' .. extra.unique)
  if ms then redis.call('HSET', job, 'unique_ms', ms) end
  give_key(prefix, extra.unique, id, ms)
end

local extras, fault = read_extras()
if fault then return redis.error_reply('BADJOB ' .. fault) end
local out = { 0 }
for i = 2, #ARGV, 5 do
  local id, extra = ARGV[i], extras[i] or {}
  local job = prefix .. 'job:' .. id
  if redis.call('EXISTS', job) == 0 then
    local owner, f
    if extra.unique then owner, f = owner_of(prefix, extra.unique, now) end
    local is_replaced = owner and extra.on_duplicate == 'replace' and f.status ~= 'processing'
    if owner and not is_replaced then
      out[#out + 1] = (i - 2) / 5
      out[#out + 1] = owner
    else
      new = new + 1
      -- The new one first: a full server refuses it, and then the old one must still be there.
      accept(id, job, ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], extra.expires_in)
      if is_replaced then cancel_waiting(prefix, owner, f, now, KEEP_MS) end
      if extra.unique then claim_key(id, job, extra) end
    end
  end
end
if new > 0 then redis.call('HINCRBY', prefix .. 'stats', 'submitted', new) end
out[1] = new
return out
