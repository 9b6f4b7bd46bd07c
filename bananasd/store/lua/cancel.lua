-- cancel: end a job that has not started.
--
-- KEYS  1 scheduled (routes the call)
-- ARGV  1 key prefix   2 id   3 ms to keep a cancelled job
-- Returns {1 if this call cancelled it else 0, the status it has now, "" if there is no such job}.
--!include now
--!include ends
--!include cancel
local prefix, id = ARGV[1], ARGV[2]
local f = redis.call('HMGET', prefix .. 'job:' .. id, 'status', 'unique', 'waiters')
local status = f[1]
if not status then return { 0, '' } end
if status ~= 'pending' and status ~= 'scheduled' then return { 0, status } end
cancel_waiting(prefix, id, { status = status, unique = f[2], waiters = f[3] }, now_ms(), ARGV[3])
return { 1, 'cancelled' }
