-- explain: what there is to know of why a job does not run, at one instant. Changes nothing.
--
-- KEYS  1 record of the job
-- ARGV  1 key prefix   2 id   3 how many ids of a lane to look through
-- Returns now and the record, as pairs (none: there is no such job, and no more is told); then its place in its lane and
-- that among the ids of its holder, from 0, or -1; how many ids are in its lane, and how many in those of its queue that
-- come before it; 1 if its holder is admitted, else 0; 1 if it is in the scheduled set, else 0; until when its queue is
-- paused, and everything ("" for not); how many ids it has left behind in lanes; the counters, as pairs; then for each
-- node whose lease runs, 1000 at most, and for that of its holder: its name, the end of its lease, its row as pairs.
--!include now
local prefix, id = ARGV[1], ARGV[2]
local now, record, f = now_ms(), redis.call('HGETALL', KEYS[1]), {}
if #record == 0 then return { now, record } end
for i = 1, #record, 2 do f[record[i]] = record[i + 1] end
local lane, holder = f.lane or '', f.holder or ''
local queue, priority = string.match(lane, '^([^:]*):?(.*)$')

-- What somebody has made of a key reads as if it were not there.
local function ask(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then return nil end
  return reply or nil
end

local function place_in(list, most) return ask('LPOS', list, id, 'MAXLEN', most) or -1 end

local function ids_before()
  local sum = 0
  for _, higher in ipairs({ 'high', 'normal' }) do
    if higher == priority then break end
    sum = sum + (ask('LLEN', prefix .. 'ready:' .. queue .. ':' .. higher) or 0)
  end
  return sum
end

local function end_of_pause(name)
  local until_ms = ask('ZSCORE', prefix .. 'paused', name)
  return until_ms and (until_ms == 'inf' or tonumber(until_ms) > now) and until_ms or ''
end

local out = { now, record }
local ready, held = prefix .. 'ready:' .. lane, prefix .. 'held:' .. holder
out[#out + 1] = f.status == 'pending' and place_in(ready, ARGV[3]) or -1
out[#out + 1] = f.status == 'processing' and place_in(held, ARGV[3]) or -1
out[#out + 1] = ask('LLEN', ready) or 0
out[#out + 1] = ids_before()
out[#out + 1] = ask('SISMEMBER', prefix .. 'holders', holder) or 0
out[#out + 1] = ask('ZSCORE', prefix .. 'scheduled', id) and 1 or 0
out[#out + 1] = end_of_pause(queue)
out[#out + 1] = end_of_pause('*')
out[#out + 1] = tonumber(ask('HGET', prefix .. 'moved', id) or '0') or 0
out[#out + 1] = ask('HGETALL', prefix .. 'stats') or {}

local function tell(node, lease_end)
  out[#out + 1] = node
  out[#out + 1] = lease_end
  out[#out + 1] = ask('HGETALL', prefix .. 'node:' .. node) or {}
end

local nodes = prefix .. 'nodes'
local live = ask('ZRANGEBYSCORE', nodes, now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1000) or {}
local home = string.match(holder, '^(.*)/')
for i = 1, #live, 2 do
  if live[i] ~= home then tell(live[i], live[i + 1]) end
end
if home then tell(home, ask('ZSCORE', nodes, home) or '') end
return out
