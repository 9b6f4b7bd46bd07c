-- reprioritise: let a job that waits go on waiting in another lane, at its end if it is pending.
--
-- Its id stays in the lane that it leaves: finding it there would cost a walk through the lane. The claim that meets it drops
-- it. `moved` counts such ids, for by then the record may say anything or be gone.
--
-- KEYS  1 moved
-- ARGV  1 key prefix   2 id   3 priority   4 queue, "" for the one it is in
-- Returns {1 if this call moved it else 0, the status it has now, "" if there is no such job}. With words that make no lane it
-- fails, and nothing has been done.
--!include now
--!include count
--!include lanes
--!include lane_name
--!include ends
local prefix, id = ARGV[1], ARGV[2]
redis.call('HDEL', KEYS[1], '')
local job = prefix .. 'job:' .. id
local f = redis.call('HMGET', job, 'status', 'lane', 'waiters')
local queue = ARGV[4] == '' and string.match(f[2] or '', '^[^:]+') or ARGV[4]
local lane = queue .. ':' .. ARGV[3]
if f[1] and not is_lane(lane) then return redis.error_reply('BADLANE it is no QUEUE:PRIORITY: ' .. lane) end
if (f[1] ~= 'pending' and f[1] ~= 'scheduled') or f[2] == lane then return { 0, f[1] or '' } end
redis.call('HSET', job, 'lane', lane, 'updated_at', now_ms())
if f[1] == 'pending' then
  count_up(KEYS[1], id)
  to_lane(prefix, lane, 'RPUSH', id)
end
tell_change(prefix, id, f[3])
return { 1, f[1] }
