-- cancel: end a job that has not started, or tell one that runs to end: "soft" (it is asked to, then interrupted) or "hard"
-- (its worker is killed). Hard may follow soft, never the other way round.
--
-- Of a running job the record keeps that it was told to end, so whatever ends its run makes it cancelled; who is to break
-- into the run learns it from the orders of its node.
--
-- KEYS  1 scheduled (routes the call)
-- ARGV  1 key prefix   2 id   3 ms to keep a cancelled job   4 for a running job: "soft", "hard", or "" to leave it alone
-- Returns {1 if this call cancelled it or it has been told to end, else 0; the status it has now, "" if there is no such
-- job}. With other words for the third and the fourth it fails, and nothing has been done.
--!include now
--!include ends
--!include cancel
local prefix, id, keep, how = ARGV[1], ARGV[2], ARGV[3] or '', ARGV[4] or ''
if not string.find(keep, '^%d+$') then
  return redis.error_reply('BADCANCEL a record is kept for a number of milliseconds: ' .. keep)
end
if how ~= '' and how ~= 'soft' and how ~= 'hard' then
  return redis.error_reply('BADCANCEL a running job is cancelled soft or hard, not ' .. how)
end
local job = prefix .. 'job:' .. id

-- An order that comes twice, or too late, harms nobody: it names the run. Those for a node that is gone are forgotten after
-- a day.
local function tell_node(holder, run, mode)
  local node = string.match(holder, '^(.*)/') or holder
  local orders, bell = prefix .. 'orders:' .. node, prefix .. 'bell:' .. node
  -- What somebody has made of these keys is no reason not to cancel.
  redis.pcall('RPUSH', orders, holder .. ' ' .. id .. ' ' .. run .. ' ' .. mode)
  redis.pcall('LTRIM', orders, -1000, -1)
  redis.call('PEXPIRE', orders, 86400000)
  if redis.call('EXISTS', bell) == 0 then redis.call('RPUSH', bell, '1') end
  redis.call('PEXPIRE', bell, 60000)
end

local f = redis.call('HMGET', job, 'status', 'unique', 'holder', 'run', 'cancel', 'waiters')
local status = f[1]
if not status then return { 0, '' } end
if status == 'processing' and how ~= '' and f[3] and f[4] then
  local mode = f[5] == 'hard' and 'hard' or how
  redis.call('HDEL', job, 'cancel')
  redis.call('HSET', job, 'cancel', mode, 'updated_at', now_ms())
  tell_node(f[3], f[4], mode)
  return { 1, status }
end
if status ~= 'pending' and status ~= 'scheduled' then return { 0, status } end
cancel_waiting(prefix, id, { status = status, unique = f[2], waiters = f[6] }, now_ms(), keep)
return { 1, 'cancelled' }
