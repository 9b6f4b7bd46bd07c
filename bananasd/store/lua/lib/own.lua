-- The gate before every script that ends a run: true if this holder holds this job under this run, and then the id has
-- left the held list. LREM is the first write, so a server at maxmemory lets the script go on.
local function take_from_holder(prefix, holder, id, run)
  local fields = redis.pcall('HMGET', prefix .. 'job:' .. id, 'status', 'run', 'holder')
  return fields[1] == 'processing' and fields[2] == run and fields[3] == holder
    and redis.call('LREM', prefix .. 'held:' .. holder, 1, id) == 1
end
