-- trim: delete the dead jobs that are too old or too many, and forget nodes that left without a word long ago.
--
-- A node is forgotten when its lease ended a day ago and none of its holders is left to be recovered.
--
-- KEYS  1 dead   2 nodes   3 holders
-- ARGV  1 key prefix   2 ms to keep a dead job   3 how many dead jobs to keep   4 how many to delete at most
-- Returns {deleted for age, deleted for number, nodes forgotten}; call again while a limit was reached. An
-- id that lies there by mistake, whose job lives, is counted with them.
--!include now
--!include dead
local dead, prefix, limit = KEYS[1], ARGV[1], tonumber(ARGV[4])
local now = now_ms()

local function delete(ids)
  for _, id in ipairs(ids) do delete_dead(prefix, id) end
  return #ids
end

local function forget_nodes()
  local stale = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - 86400000, 'LIMIT', 0, 100)
  if #stale == 0 then return 0 end
  local is_needed, forgotten = {}, 0
  for _, holder in ipairs(redis.call('SMEMBERS', KEYS[3])) do is_needed[string.match(holder, '^(.*)/') or ''] = true end
  for _, node in ipairs(stale) do
    if not is_needed[node] then
      redis.call('ZREM', KEYS[2], node)
      redis.call('DEL', prefix .. 'node:' .. node)
      forgotten = forgotten + 1
    end
  end
  return forgotten
end

local for_age = delete(redis.call('ZRANGEBYSCORE', dead, '-inf', now - tonumber(ARGV[2]), 'LIMIT', 0, limit))
local surplus = math.min(redis.call('ZCARD', dead) - tonumber(ARGV[3]), limit - for_age)
local for_number = surplus > 0 and delete(redis.call('ZRANGE', dead, 0, surplus - 1)) or 0
local forgotten = forget_nodes()
if for_age + for_number > 0 then redis.call('HINCRBY', prefix .. 'stats', 'trimmed', for_age + for_number) end
return { for_age, for_number, forgotten }
