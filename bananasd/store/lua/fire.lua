-- fire: submit the job of a slot, once, however many schedulers come with it and however often.
--
-- Only if the schedule is still as the caller knows it, and last slot < slot <= now. The id is the slot's own: should the
-- last slot have been lost, the record of the job keeps a second one from being made.
--
-- KEYS  1 schedules   2 fired
-- ARGV  1 key prefix   2 name   3 slot in ms   4 SHA-1 of the definition   5 id   6 spec ("": the slot passes without a job)
--       7 lane
-- Returns {what, now}: "fired"; "passed"; "known", that slot or a later one has been fired or has passed; "early"; "changed".
--!include now
--!include lanes
local fired, prefix, name, slot, id = KEYS[2], ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[5]
redis.call('HDEL', fired, '')
local now = now_ms()
local definition = redis.call('HGET', KEYS[1], name)
if not definition or redis.sha1hex(definition) ~= ARGV[4] then return { 'changed', now } end
if slot > now then return { 'early', now } end
local last = tonumber(redis.call('HGET', fired, name) or '')
if not last then return { 'changed', now } end
if slot <= last then return { 'known', now } end
redis.call('HSET', fired, name, ARGV[3])
if ARGV[6] == '' then return { 'passed', now } end
local job = prefix .. 'job:' .. id
if redis.call('EXISTS', job) == 1 then return { 'known', now } end
redis.call('HSET', job, 'spec', ARGV[6], 'lane', ARGV[7], 'status', 'pending', 'due_at', ARGV[3])
to_lane(prefix, ARGV[7], 'RPUSH', id)
redis.call('HINCRBY', prefix .. 'stats', 'submitted', 1)
return { 'fired', now }
