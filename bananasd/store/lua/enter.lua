-- enter: admit a holder, so that it may claim and settle; grant its node a lease if there is none that runs.
--
-- The policies of handlers stay for good, whoever has them; the row of the node says which of them its workers have loaded.
--
-- KEYS  1 holders   2 nodes   3 handlers   4 node hash
-- ARGV  1 holder   2 node   3 lease in ms   4.. pairs of handler name, its policy as JSON
-- Returns 1.
--!include now
redis.call('SREM', KEYS[1], '')
local now = now_ms()
local lease_end = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[2]) or '0')
if lease_end < now then redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[2]) end
redis.call('SADD', KEYS[1], ARGV[1])
local names = {}
for i = 4, #ARGV, 2 do
  redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
  names[#names + 1] = ARGV[i]
end
-- A worker that a reload has replaced may enter anew, after a broken connection, behind those that came after it. What
-- somebody has made of the node's key is no reason not to work.
local generation = tonumber(string.match(ARGV[1], '/(%d+)')) or 0
if generation >= (tonumber(redis.pcall('HGET', KEYS[4], 'handlers_of')) or 0) then
  redis.pcall('HSET', KEYS[4], 'handlers', cjson.encode(names), 'handlers_of', generation)
end
return 1
