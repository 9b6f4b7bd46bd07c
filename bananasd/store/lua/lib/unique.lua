-- Keys that one job alone may have while it lives. The key names the job, and the record of the job the key, in its field
-- `unique`, after until when it may have it: "end KEY" or "start KEY". A key counts only if both agree.
local HAS_ENDED = { completed = 1, failed = 1, cancelled = 1, expired = 1 }

-- Who has a key: its id, and of its record status, unique and waiters. Nobody (nil), if that job has ended, is not there,
-- or does not have the key: so what should have been freed and was not keeps nobody out. Nor does a job that has waited for
-- longer than it may: no run of it will begin, whenever a claim meets it.
local function owner_of(prefix, key, now)
  local id = redis.pcall('GET', prefix .. 'unique:' .. key)
  if type(id) ~= 'string' then return nil end
  local f = redis.pcall('HMGET', prefix .. 'job:' .. id, 'status', 'unique', 'waiters', 'expires_at')
  if not f[1] or HAS_ENDED[f[1]] or (f[2] ~= 'end ' .. key and f[2] ~= 'start ' .. key) then return nil end
  if f[1] ~= 'processing' and f[4] and (tonumber(f[4]) or now) < now then return nil end
  return id, { status = f[1], unique = f[2], waiters = f[3] }
end

-- Give a key to a job, for at most so many ms if there is a number.
local function give_key(prefix, key, id, ms)
  if ms then
    redis.call('SET', prefix .. 'unique:' .. key, id, 'PX', ms)
  else
    redis.call('SET', prefix .. 'unique:' .. key, id)
  end
end

-- Give a job that has just been accepted the key that its extra names.
local function claim_key(prefix, id, job, extra)
  local ms = extra.unique_ms and math.floor(extra.unique_ms)
  redis.call('HSET', job, 'unique', (extra.unique_until or 'end') .. ' ' .. extra.unique)
  if ms then redis.call('HSET', job, 'unique_ms', ms) end
  give_key(prefix, extra.unique, id, ms)
end
