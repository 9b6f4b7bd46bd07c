-- The yardstick's submit: a record, its id in a lane, a token to wake somebody; once for an id.
--
-- KEYS  1 lane   2 its token   3 record
-- ARGV  1 id   2 spec
-- Returns 1, or 0 if the id is known.
if redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
redis.call('HSET', KEYS[3], 'spec', ARGV[2], 'status', 'pending')
redis.call('RPUSH', KEYS[1], ARGV[1])
if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('RPUSH', KEYS[2], '1') end
return 1
