-- mend_key: tell what is wrong with keys other than records, and put it right.
--
-- A unique key that no living job has keeps nobody out, but would stand there for good.
-- A key that nobody knows, or of a type that it must not have, is set aside under another name: what is in it may be wanted.
--
-- KEYS  1 queues
-- ARGV  1 key prefix   2 "1" to mend, "" to tell only   3.. pairs of key without the prefix, the type it should have or ""
-- Returns triples of key without the prefix, fault, detail.
--!include unique
local queues, prefix, is_mending = KEYS[1], ARGV[1], ARGV[2] == '1'
local found = {}
redis.pcall('SREM', queues, '')

local function tell(name, fault, detail)
  local n = #found
  found[n + 1], found[n + 2], found[n + 3] = name, fault, detail
end

local function set_aside(name)
  local aside, n = prefix .. 'aside:' .. name, 1
  while redis.call('RENAMENX', prefix .. name, aside) == 0 do
    n = n + 1
    aside = prefix .. 'aside:' .. n .. ':' .. name
  end
  redis.call('PERSIST', aside)
end

local function look_at_queue(name)
  local queue = string.match(name, '^ready:([^:]*):')
  if not queue or redis.pcall('SISMEMBER', queues, queue) ~= 0 then return end
  tell(name, 'unlisted_queue', queue)
  if is_mending then redis.call('SADD', queues, queue) end
end

local function look_at_stats(name)
  if name ~= 'stats' then return end
  local counts = redis.call('HGETALL', prefix .. name)
  for i = 1, #counts, 2 do
    if not string.find(counts[i + 1], '^%d+$') or #counts[i + 1] > 15 then
      tell(name, 'bad_count', counts[i] .. ' ' .. counts[i + 1])
      if is_mending then redis.call('HDEL', prefix .. name, counts[i]) end
    end
  end
end

local function look_at_unique(name)
  local key = string.match(name, '^unique:(.*)$')
  -- That a claim still has to meet a job whose time is over is in order, so here no time counts.
  if not key or owner_of(prefix, key, -math.huge) then return end
  tell(name, 'stale_unique', redis.call('GET', prefix .. name))
  if is_mending then redis.call('DEL', prefix .. name) end
end

local function look_at_lifetime(name)
  if string.find(name, '^unique:') then return end
  local must_expire = string.find(name, '^result:') or string.find(name, '^mail:')
    or string.find(name, '^orders:') or string.find(name, '^bell:')
  local is_expiring = redis.call('PTTL', prefix .. name) >= 0
  if is_expiring and not must_expire then
    tell(name, 'key_expires', '')
    if is_mending then redis.call('PERSIST', prefix .. name) end
  elseif must_expire and not is_expiring then
    tell(name, 'key_stays', '')
    if is_mending then redis.call('PEXPIRE', prefix .. name, 3600000) end
  end
end

local function look_at(name, wanted)
  local kind = redis.call('TYPE', prefix .. name).ok
  if kind == 'none' then return end
  if kind ~= wanted then
    tell(name, wanted == '' and 'unknown_key' or 'wrong_type', kind)
    if is_mending then set_aside(name) end
    return
  end
  look_at_lifetime(name)
  look_at_queue(name)
  look_at_unique(name)
  look_at_stats(name)
end

for i = 3, #ARGV, 2 do look_at(ARGV[i], ARGV[i + 1]) end
return found
