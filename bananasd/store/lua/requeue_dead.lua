-- requeue_dead: bring dead jobs back to the end of their lanes with attempts and recoveries at zero, due now, to wait no longer
-- than when they were new. Never the run: a worker that was cut off must not be able to settle the new life of its old job. One
-- with a unique key has it again; if another job has it by now, it stays dead.
--
-- KEYS  1 dead
-- ARGV  1 key prefix   2.. ids
-- Returns the ids that were brought back; the others are not dead, have no spec to run, or no claim to their key.
--!include now
--!include lanes
--!include expiry
--!include unique
local prefix, now, back = ARGV[1], now_ms(), {}

local function key_of(unique) return unique and string.match(unique, '^%l+ (.+)$') end

local function ms_of(field) return field and #field <= 15 and string.find(field, '^[1-9]%d*$') and field end

for i = 2, #ARGV do
  local id = ARGV[i]
  local job = prefix .. 'job:' .. id
  local f = redis.pcall('HMGET', job, 'status', 'lane', 'spec', 'expires_in', 'unique', 'unique_ms', 'waiters')
  local key = key_of(f[5])
  local may_run = f[1] == 'failed' and f[2] and f[3] and not (key and owner_of(prefix, key, now))
  if may_run and redis.call('ZREM', KEYS[1], id) == 1 then
    redis.call('HDEL', job, 'attempts', 'recoveries', 'finished_at', 'progress', 'has_result', 'waiters', 'cancel')
    redis.call('HSET', job, 'status', 'pending', 'due_at', now, 'updated_at', now)
    local expires_in = tonumber(f[4])
    if expires_in then limit_wait(job, expires_in, now) end
    if key then give_key(prefix, key, id, ms_of(f[6])) end
    -- Those who have just been told of its death still read why; its new life must not be taken for that one.
    if f[7] then redis.call('PEXPIRE', prefix .. 'result:' .. id, 60000) end
    to_lane(prefix, f[2], 'RPUSH', id)
    back[#back + 1] = id
  end
end
return back
