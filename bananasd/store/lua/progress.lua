-- progress: keep how far a running job is.
--
-- KEYS  1 the job
-- ARGV  1 key prefix   2 holder   3 id   4 run   5 progress as JSON
-- Returns 1, or 0 if the job is no longer held under that run.
--!include now
--!include ends
local f = redis.pcall('HMGET', KEYS[1], 'status', 'run', 'holder', 'waiters')
if f[1] ~= 'processing' or f[2] ~= ARGV[4] or f[3] ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], 'progress')
redis.call('HSET', KEYS[1], 'progress', ARGV[5], 'updated_at', now_ms())
tell_change(ARGV[1], ARGV[3], f[4])
return 1
