-- The yardstick's claim: the next jobs of three lanes, for a holder that is known and whose node has its lease.
--
-- KEYS  1 held list   2 holders   3 leases   4-6 lanes   7-9 their tokens
-- ARGV  1 prefix of records   2 holder   3 node   4 how many
-- Returns id, run, spec, attempts, recoveries of each.
local held, prefix, holder, wanted = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[4])
if redis.call('SISMEMBER', KEYS[2], holder) == 0 then return redis.error_reply('UNKNOWNHOLDER') end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if tonumber(redis.call('ZSCORE', KEYS[3], ARGV[3]) or '0') < now then return redis.error_reply('LEASEENDED') end

local claimed, looked, bytes = {}, 0, 0
for lane = 4, 6 do
  while #claimed < wanted * 5 and looked < 1000 and bytes < 1048576 do
    local id = redis.call('LPOP', KEYS[lane])
    if not id then break end
    looked = looked + 1
    local job = prefix .. id
    local record = redis.call('HMGET', job, 'status', 'spec', 'run', 'attempts', 'recoveries')
    if record[1] == 'pending' then
      local run = (tonumber(record[3]) or 0) + 1
      redis.call('RPUSH', held, id)
      redis.call('HSET', job, 'status', 'processing', 'started_at', now, 'holder', holder, 'run', run)
      local n = #claimed
      claimed[n + 1], claimed[n + 2], claimed[n + 3] = id, run, record[2]
      claimed[n + 4], claimed[n + 5] = record[4] or 0, record[5] or 0
      bytes = bytes + #record[2]
    end
  end
end
if #claimed > 0 then
  for lane = 4, 6 do
    if redis.call('EXISTS', KEYS[lane]) == 1 and redis.call('EXISTS', KEYS[lane + 3]) == 0 then
      redis.call('RPUSH', KEYS[lane + 3], '1')
    end
  end
end
return claimed
