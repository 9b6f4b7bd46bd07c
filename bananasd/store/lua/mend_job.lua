-- mend_job: look again at jobs that seemed to be out of order, tell what is wrong with them now, and put it right.
--
-- A job that cannot be run is buried with the reason; every other one is put where its status says that it is, once. The
-- caller says where it saw the id, for finding that out would cost a walk through everything.
--
-- KEYS  1 dead
-- ARGV  1 key prefix   2 "1" to mend, "" to tell only   3 ms to keep a job that has ended   4.. per job: id, why its spec
--       or its id will not do or "", the SHA-1 of that spec, how many places, the places as keys without the prefix
-- Returns triples of id, fault, detail.
--!include now
--!include lanes
--!include lane_name
--!include schedule
--!include ends
--!include bury
--!include cancelled
local prefix, is_mending, keep = ARGV[1], ARGV[2] == '1', ARGV[3]
redis.pcall('ZREM', KEYS[1], '')
local now, found = now_ms(), {}

local function tell(id, fault, detail)
  local n = #found
  found[n + 1], found[n + 2], found[n + 3] = id, fault, detail
end

local function is_sorted_set(place) return place == 'scheduled' or place == 'dead' end

-- How often the given ids are in a list: for more than one id a single walk through it is cheaper than a search for each.
local ids, id_count, walked = {}, 0, {}

local function walk(place)
  local counts, key = {}, prefix .. place
  for start = 0, redis.call('LLEN', key) - 1, 1000 do
    for _, id in ipairs(redis.call('LRANGE', key, start, start + 999)) do
      if ids[id] then counts[id] = (counts[id] or 0) + 1 end
    end
  end
  return counts
end

local function count_in(place, id)
  local key = prefix .. place
  if is_sorted_set(place) then return type(redis.pcall('ZSCORE', key, id)) == 'string' and 1 or 0 end
  if redis.call('TYPE', key).ok ~= 'list' then return 0 end
  if id_count == 1 then return #redis.call('LPOS', key, id, 'COUNT', 0) end
  walked[place] = walked[place] or walk(place)
  return walked[place][id] or 0
end

local function remove(place, id)
  if is_sorted_set(place) then
    redis.call('ZREM', prefix .. place, id)
  else
    redis.call('LREM', prefix .. place, 0, id)
  end
end

local function is_lane_place(place) return string.sub(place, 1, 6) == 'ready:' end

-- These places, each once, by their names.
local function distinct(places)
  local seen, out = {}, {}
  for _, place in ipairs(places) do
    if not seen[place] then out[#out + 1] = place end
    seen[place] = true
  end
  return out, seen
end

-- How many ids the job is said to have left behind in lanes when it was moved; -1 for what is no number.
local function left_behind(id)
  local count = redis.pcall('HGET', prefix .. 'moved', id)
  return type(count) == 'string' and (tonumber(count) or -1) or 0
end

local function note_left_behind(id, count)
  if count > 0 then redis.call('HSET', prefix .. 'moved', id, count) else redis.call('HDEL', prefix .. 'moved', id) end
end

-- How many of its ids are in lanes: in those of the caller and, since a job may have been moved meanwhile, in all others.
local function count_in_lanes(id, places)
  local all, seen = distinct(places)
  for _, queue in ipairs(redis.call('SMEMBERS', prefix .. 'queues')) do
    for _, priority in ipairs({ 'high', 'normal', 'low' }) do
      local place = 'ready:' .. queue .. ':' .. priority
      if not seen[place] then all[#all + 1] = place end
    end
  end
  local n = 0
  for _, place in ipairs(all) do
    if is_lane_place(place) then n = n + count_in(place, id) end
  end
  return n
end

-- For a job that has been moved: `own` of its ids in lanes are where they should be.
local function look_at_left_behind(id, places, own)
  local left = left_behind(id)
  if left == 0 then return end
  local n = count_in_lanes(id, places) - own
  if n == left then return end
  tell(id, 'bad_moved', left .. ', there are ' .. n)
  if is_mending then note_left_behind(id, n) end
end

local function bury_found(id, places, fault, reason)
  tell(id, fault, reason)
  if not is_mending then return end
  local n = left_behind(id) == 0 and 0 or count_in_lanes(id, places)
  for _, place in ipairs(distinct(places)) do
    if n > 0 and is_lane_place(place) then n = n - count_in(place, id) end
    remove(place, id)
  end
  note_left_behind(id, n)
  bury_unreadable(prefix, 'default:normal', id, now, reason)
end

local function look_at_missing(id, places)
  local in_lanes, is_elsewhere = 0, false
  for _, place in ipairs(distinct(places)) do
    local n = count_in(place, id)
    if is_lane_place(place) then in_lanes = in_lanes + n else is_elsewhere = is_elsewhere or place ~= 'dead' and n > 0 end
  end
  if is_elsewhere or in_lanes > math.max(0, left_behind(id)) then
    return bury_found(id, places, 'no_record', 'its record is missing')
  end
  look_at_left_behind(id, places, 0)
  if count_in('dead', id) == 0 then return end
  tell(id, 'no_dead_record', '')
  if is_mending then redis.call('ZREM', KEYS[1], id) end
end

local function is_count(field) return not field or (#field <= 15 and string.find(field, '^%d+$')) end

local STATUSES = { pending = 1, scheduled = 1, processing = 1, failed = 1, completed = 1, cancelled = 1, expired = 1 }

-- Which fault keeps the job from being run, and the reason. One that runs is left until its run ends, but for the run.
local function obstacle(f, complaint, digest)
  if not f.status then return 'no_status', 'its record has no status' end
  if not STATUSES[f.status] then return 'bad_status', 'its status is none: ' .. f.status end
  local is_waiting = f.status == 'pending' or f.status == 'scheduled'
  if not is_waiting and f.status ~= 'processing' then return nil end
  if not is_count(f.run) then return 'bad_run', 'its run is no number: ' .. f.run end
  if not is_waiting then return nil end
  if not f.lane then return 'no_lane', 'its record has no lane' end
  if not is_lane(f.lane) then return 'bad_lane', 'its lane is none: ' .. f.lane end
  if not f.spec then return 'no_spec', 'its record has no spec' end
  if complaint ~= '' and redis.sha1hex(f.spec) == digest then
    return 'bad_spec', 'the job cannot be run: ' .. complaint
  end
end

local function home_of(f)
  if f.status == 'pending' then return 'ready:' .. f.lane, 'in_no_lane' end
  if f.status == 'processing' then return 'held:' .. (f.holder or ''), 'not_held' end
  if f.status == 'scheduled' then return 'scheduled', 'not_scheduled' end
  if f.status == 'failed' then return 'dead', 'not_dead' end
end

local function bring_home(id, job, f)
  if f.status == 'pending' then
    to_lane(prefix, f.lane, 'RPUSH', id)
  elseif f.status == 'processing' and f.cancel then
    end_as_cancelled(prefix, id, now, keep, f)
  elseif f.status == 'processing' and f.guarded_run and f.guarded_run == f.run then
    bury_unreadable(prefix, f.lane or 'default:normal', id, now, 'nobody holds its run, which must not be repeated')
  elseif f.status == 'processing' then
    redis.call('HDEL', job, 'holder')
    redis.call('HSETNX', job, 'lane', 'default:normal')
    redis.call('HSET', job, 'status', 'pending', 'updated_at', now)
    to_lane(prefix, f.lane or 'default:normal', 'LPUSH', id)
  elseif f.status == 'scheduled' then
    schedule(prefix, id, is_count(f.due_at) and f.due_at or now)
  else
    redis.call('ZADD', KEYS[1], tonumber(f.finished_at) or now, id)
  end
end

-- Whether its id may be in its lane until a claim drops it: that of a job that was cancelled as it waited, whose record has
-- no retention yet.
local function is_tombstone(job, f) return f.status == 'cancelled' and redis.call('PTTL', job) < 0 end

-- How many of its ids in lanes are none that it has left behind: that of a pending job in its lane, and a tombstone.
local function own_in_lane(id, job, f)
  local is_there = f.lane and count_in('ready:' .. f.lane, id) > 0
  return is_there and (f.status == 'pending' or is_tombstone(job, f)) and 1 or 0
end

local function look_at_places(id, job, f, places)
  local home, is_not_there = home_of(f)
  local is_moved = left_behind(id) ~= 0
  if is_moved then look_at_left_behind(id, places, own_in_lane(id, job, f)) end
  local may_be_in_lanes = is_moved or is_tombstone(job, f)
  for _, place in ipairs(distinct(places)) do
    if place ~= home and not (may_be_in_lanes and is_lane_place(place)) and count_in(place, id) > 0 then
      tell(id, 'elsewhere', place)
      if is_mending then remove(place, id) end
    end
  end
  if not home then return end
  local n = count_in(home, id)
  if n == 0 then
    tell(id, is_not_there, home)
    if is_mending then bring_home(id, job, f) end
  elseif n > 1 and not (is_moved and is_lane_place(home)) then
    tell(id, 'twice', home)
    if is_mending then redis.call('LREM', prefix .. home, 1 - n, id) end
  end
end

local function look_at_counters(id, job, f)
  for _, field in ipairs({ 'attempts', 'recoveries', 'due_at', 'expires_in', 'expires_at', 'unique_ms' }) do
    if not is_count(f[field]) then
      tell(id, 'bad_counter', field .. ' ' .. f[field])
      if is_mending then redis.call('HDEL', job, field) end
    end
  end
end

local MAY_VANISH = { completed = 1, cancelled = 1, expired = 1 }

local function look_at_lifetime(id, job, f)
  local is_expiring = redis.call('PTTL', job) >= 0
  local has_ended = f.status == 'completed' or f.status == 'expired'
    or (f.status == 'cancelled' and (not f.lane or count_in('ready:' .. f.lane, id) == 0))
  if is_expiring and not MAY_VANISH[f.status] then
    tell(id, 'expires', '')
    if is_mending then redis.call('PERSIST', job) end
  elseif has_ended and not is_expiring then
    tell(id, 'kept', '')
    if is_mending then redis.call('PEXPIRE', job, keep) end
  end
end

local FIELDS = {
  'status', 'lane', 'holder', 'spec', 'run', 'attempts', 'recoveries', 'due_at', 'finished_at', 'expires_in', 'expires_at',
  'guarded_run', 'unique', 'unique_ms', 'waiters', 'cancel',
}

local function look_at(id, complaint, digest, places)
  local job = prefix .. 'job:' .. id
  local kind = redis.call('TYPE', job).ok
  if kind == 'none' then return look_at_missing(id, places) end
  if kind ~= 'hash' then return bury_found(id, places, 'no_hash', 'its record is a ' .. kind .. ', not a hash') end
  local f = {}
  for i, value in ipairs(redis.call('HMGET', job, unpack(FIELDS))) do f[FIELDS[i]] = value end
  local fault, reason = obstacle(f, complaint, digest)
  if fault then return bury_found(id, places, fault, reason) end
  look_at_lifetime(id, job, f)
  look_at_counters(id, job, f)
  look_at_places(id, job, f, places)
end

local jobs, i = {}, 4
while i <= #ARGV do
  local id, places = ARGV[i], {}
  for k = 1, tonumber(ARGV[i + 3]) do places[k] = ARGV[i + 3 + k] end
  -- Each id once: what has been mended is not counted again.
  if not ids[id] then
    ids[id], id_count = true, id_count + 1
    jobs[id_count] = { id, ARGV[i + 1], ARGV[i + 2], places }
  end
  i = i + 4 + #places
end
for _, job in ipairs(jobs) do look_at(unpack(job)) end
return found
