-- Deleting a dead job with its record. Whether it was one: a job that lives under an id which lies there by mistake keeps its
-- record, and the id alone goes.
local function delete_dead(prefix, id)
  local job = prefix .. 'job:' .. id
  redis.call('ZREM', prefix .. 'dead', id)
  local status = redis.pcall('HGET', job, 'status')
  if type(status) == 'string' and status ~= 'failed' then return false end
  redis.call('DEL', job)
  return true
end
