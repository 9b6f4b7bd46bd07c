-- cancel: end a job that has not started.
--
-- The id of a pending job stays in its lane (finding it there would cost a walk through the lane); its record therefore
-- keeps no TTL until the claim that drops the id sets it.
--
-- KEYS  1 scheduled
-- ARGV  1 key prefix   2 id   3 ms to keep a cancelled job
-- Returns {1 if this call cancelled it else 0, the status it has now, "" if there is no such job}.
--!include now
--!include ends
local prefix, id = ARGV[1], ARGV[2]
local job = prefix .. 'job:' .. id
local f = redis.call('HMGET', job, 'status', 'waiters')
local status = f[1]
if not status then return { 0, '' } end
if status ~= 'pending' and status ~= 'scheduled' then return { 0, status } end
redis.call('HDEL', job, 'holder')
redis.call('ZREM', KEYS[1], id)
local now = now_ms()
redis.call('HSET', job, 'status', 'cancelled', 'finished_at', now, 'updated_at', now)
if status == 'scheduled' then redis.call('PEXPIRE', job, ARGV[3]) end
redis.call('HINCRBY', prefix .. 'stats', 'cancelled', 1)
note_end(prefix, id, { waiters = f[2] })
return { 1, 'cancelled' }
