-- progress: keep how far a running job is.
--
-- KEYS  1 the job
-- ARGV  1 holder   2 run   3 progress as JSON
-- Returns 1, or 0 if the job is no longer held under that run.
--!include now
local f = redis.pcall('HMGET', KEYS[1], 'status', 'run', 'holder')
if f[1] ~= 'processing' or f[2] ~= ARGV[2] or f[3] ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'progress')
redis.call('HSET', KEYS[1], 'progress', ARGV[3], 'updated_at', now_ms())
return 1
