-- beat: extend a node's lease, keep what it says of itself, and tell which of its holders are no longer admitted.
--
-- alive_since is the start of an unbroken row of beats: it begins anew when the last beat is more than half a lease old.
-- Times from the future (the server's clock was set back) count as now, those of other nodes too: the lease of a node whose
-- last beat lies in the future counts from now, so that the jobs of a node that is gone are back in time. Of a lease that
-- `enter` alone has granted nobody knows when that was, nor how long it is to be: that, and any other, is only cut down if
-- it ends in 100 leases or later, which cannot be true.
--
-- So that anybody can tell how fast things go without waiting for it, it keeps what the counters said, every ten seconds; and
-- what they said the time before.
--
-- KEYS  1 nodes   2 node hash   3 holders
-- ARGV  1 node   2 lease in ms   3 what it says of itself, as JSON   4.. holders to look for
-- Returns those of the given holders that are not admitted.
--!include now
redis.call('ZREM', KEYS[1], '')
local now, lease = now_ms(), tonumber(ARGV[2])
local f = redis.call('HMGET', KEYS[2], 'beat_at', 'alive_since', 'counted_at', 'counted')
local last = math.min(tonumber(f[1]) or 0, now)
local alive_since = math.min(tonumber(f[2]) or now, now)
if now - last > lease / 2 then alive_since = now end
redis.call('HSET', KEYS[2], 'beat_at', now, 'alive_since', alive_since, 'about', ARGV[3])
redis.call('ZADD', KEYS[1], now + lease, ARGV[1])

local function keep_counters()
  local counted_at, stats = tonumber(f[3]) or 0, string.sub(KEYS[2], 1, -#ARGV[1] - 6) .. 'stats'
  if counted_at <= now and now - counted_at < 10000 then return end
  local counters = redis.pcall('HGETALL', stats)
  -- What somebody has made of that key is no reason to keep this beat back.
  if counters.err then return end
  redis.call('HSET', KEYS[2], 'counted_at', now, 'counted', now .. ' ' .. table.concat(counters, ' '),
    'counted_before', f[4] or '')
end
keep_counters()

local function correct(node, lease_end)
  local hash = string.sub(KEYS[2], 1, -#ARGV[1] - 1) .. node
  -- What somebody has made of another node's key is no reason to keep this one's beat back.
  local beat_at = tonumber(redis.pcall('HGET', hash, 'beat_at')) or now
  local latest = now + math.min(100 * lease, beat_at > now and lease_end - beat_at or math.huge)
  if lease_end <= latest then return end
  redis.call('ZADD', KEYS[1], latest, node)
  if beat_at > now then redis.call('HSET', hash, 'beat_at', now) end
end

-- The latest first: a node may have a longer lease than this one.
local others = redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', '(' .. now + lease, 'WITHSCORES', 'LIMIT', 0, 100)
for i = 1, #others, 2 do correct(others[i], tonumber(others[i + 1])) end

local gone = {}
for i = 4, #ARGV do
  if redis.call('SISMEMBER', KEYS[3], ARGV[i]) == 0 then gone[#gone + 1] = ARGV[i] end
end
return gone
