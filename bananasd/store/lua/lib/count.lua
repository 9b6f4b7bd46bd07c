-- Counting in a record. Not HINCRBY: it fails on a field that is no number, after the id has left its list.
local function count_up(job, field)
  local count = (tonumber(redis.call('HGET', job, field) or '0') or 0) + 1
  redis.call('HSET', job, field, count)
  return count
end
