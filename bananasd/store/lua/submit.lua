-- submit: accept new jobs; an id that is already known is left as it is, so repeating the call is harmless.
--
-- KEYS  1 scheduled (routes the call; every other key is derived from the prefix)
-- ARGV  1 key prefix   2.. quadruples of id, spec, lane, due ("" at once, "+N" in N ms, else ms since the epoch; what is
--       no number means at once)
-- Returns how many of the jobs were new.
--!include now
--!include lanes
--!include schedule
local prefix, now, new = ARGV[1], now_ms(), 0

-- Whole and not negative, as claim wants it; ~= tells what is no number at all (NaN).
local function due_time(due)
  local at = tonumber(due) or now
  if string.sub(due, 1, 1) == '+' then at = at + now end
  if at ~= at then at = now end
  return math.max(0, math.floor(at))
end

for i = 2, #ARGV, 4 do
  local id, spec, lane, due = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local job = prefix .. 'job:' .. id
  if redis.call('EXISTS', job) == 0 then
    new = new + 1
    if due == '' then
      redis.call('HSET', job, 'spec', spec, 'lane', lane, 'status', 'pending')
      to_back(prefix, lane, id)
    else
      local due_at = due_time(due)
      local is_due = due_at <= now
      redis.call('HSET', job, 'spec', spec, 'lane', lane, 'status', is_due and 'pending' or 'scheduled', 'due_at', due_at)
      if is_due then to_back(prefix, lane, id) else schedule(prefix, id, due_at) end
    end
  end
end
if new > 0 then redis.call('HINCRBY', prefix .. 'stats', 'submitted', new) end
return new
