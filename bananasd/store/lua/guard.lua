-- guard: note in the record of a job that the run which is about to begin must not be repeated should it be lost.
--
-- The note is the number of the run, so it holds for no other one, and nobody has to take it back.
--
-- KEYS  1 the job
-- ARGV  1 holder   2 run
-- Returns 1, or 0 if the job is no longer held under that run, and then must not begin.
local f = redis.pcall('HMGET', KEYS[1], 'status', 'run', 'holder')
if f[1] ~= 'processing' or f[2] ~= ARGV[2] or f[3] ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'guarded_run')
redis.call('HSET', KEYS[1], 'guarded_run', ARGV[2])
return 1
