-- put_schedules: put, change and remove the schedules of one source; what is as it should be already is left alone.
--
-- A name belongs to the highest source that has put it: "config" before "client" before "handler". A schedule that is new,
-- or whose slots are others now, or that rested, begins now: nothing of the past fires.
--
-- KEYS  1 schedules   2 fired   3 wake:scheduled
-- ARGV  1 source   2 "1" to remove all others of this source, else ""   3 how many there may be
--       4.. pairs of name, definition ("": remove it if it is of this source)
-- Returns pairs of name and what became of it, where anything did: "put", "removed", "kept" (of a higher source), "full".
--!include now
local schedules, fired, source = KEYS[1], KEYS[2], ARGV[1]
redis.call('HDEL', fired, '')
local rank = { handler = 1, client = 2, config = 3 }
local changes, found, is_named = 0, {}, {}

local function tell(name, what)
  local n = #found
  found[n + 1], found[n + 2] = name, what
end

-- Anybody may have written anything there; what cannot be read is of no source, and any may replace it.
local function read(definition)
  local is_json, read = pcall(cjson.decode, definition or '')
  return is_json and type(read) == 'table' and read or {}
end

local function remove(name)
  redis.call('HDEL', schedules, name)
  redis.call('HDEL', fired, name)
  changes = changes + 1
  tell(name, 'removed')
end

local function is_going_on(old, new)
  return old.enabled and old.cron == new.cron and old.every == new.every and old.timezone == new.timezone
end

local function put(name, definition)
  local present = redis.call('HGET', schedules, name)
  if present == definition then return end
  local old = read(present)
  if (rank[old.source] or 0) > (rank[source] or 0) then return tell(name, 'kept') end
  if not present and redis.call('HLEN', schedules) > tonumber(ARGV[3]) then return tell(name, 'full') end
  if not is_going_on(old, read(definition)) then redis.call('HSET', fired, name, now_ms()) end
  redis.call('HSET', schedules, name, definition)
  changes = changes + 1
  tell(name, 'put')
end

-- Removed first, so that there is room for what is put.
for i = 4, #ARGV, 2 do
  local name = ARGV[i]
  is_named[name] = true
  if ARGV[i + 1] == '' and read(redis.call('HGET', schedules, name)).source == source then remove(name) end
end
if ARGV[2] == '1' then
  local all = redis.call('HGETALL', schedules)
  for i = 1, #all, 2 do
    if not is_named[all[i]] and read(all[i + 1]).source == source then remove(all[i]) end
  end
end
for i = 4, #ARGV, 2 do
  if ARGV[i + 1] ~= '' then put(ARGV[i], ARGV[i + 1]) end
end
if changes > 0 then
  redis.call('HINCRBY', schedules, '', 1)
  if redis.call('EXISTS', KEYS[3]) == 0 then redis.call('RPUSH', KEYS[3], '1') end
end
return found
