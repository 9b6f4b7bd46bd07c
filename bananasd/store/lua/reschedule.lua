-- reschedule: give a job that waits another due time; one that has passed means at once. How long it may wait counts from then;
-- one whose time is over has expired, though no claim has met it yet.
--
-- The id of a pending job stays in its lane, as with reprioritise.
--
-- KEYS  1 scheduled   2 moved
-- ARGV  1 key prefix   2 id   3 due ("+N" in N ms, else ms since the epoch)
-- Returns {1 if it is due at that time now, 0 if it was due before, the status it has now, "" if there is no such job}. With
-- another word for the third it fails, and nothing has been done.
--!include now
--!include count
--!include lanes
--!include schedule
--!include due
--!include expiry
--!include ends
local prefix, id, now = ARGV[1], ARGV[2], now_ms()
if not is_due_time(ARGV[3]) then
  return redis.error_reply('BADDUE it is no number of milliseconds, with + for from now: ' .. tostring(ARGV[3]))
end
redis.call('ZREM', KEYS[1], '')
local job, due_at = prefix .. 'job:' .. id, due_time(ARGV[3], now)
local is_due = due_at <= now
local f = redis.call('HMGET', job, 'status', 'lane', 'expires_in', 'waiters', 'expires_at')
local status, lane, expires_in = f[1], f[2], tonumber(f[3])
if status ~= 'pending' and status ~= 'scheduled' then return { 0, status or '' } end
if (tonumber(f[5]) or now) < now then return { 0, 'expired' } end
if is_due and status == 'pending' then return { 0, status } end

local becomes = is_due and 'pending' or 'scheduled'
redis.call('HSET', job, 'status', becomes, 'due_at', due_at, 'updated_at', now)
if expires_in then limit_wait(job, expires_in, math.max(now, due_at)) end
if status == 'pending' then count_up(KEYS[2], id) end
if is_due then
  redis.call('ZREM', KEYS[1], id)
  to_lane(prefix, lane or 'default:normal', 'RPUSH', id)
else
  schedule(prefix, id, due_at)
end
tell_change(prefix, id, f[4])
return { 1, becomes }
