-- The gate before every script that ends a run. What the record says of the run: status, run, holder, attempts, lane, waiters,
-- unique and cancel.
local function read_run(prefix, id)
  return redis.pcall('HMGET', prefix .. 'job:' .. id, 'status', 'run', 'holder', 'attempts', 'lane', 'waiters', 'unique',
    'cancel')
end

local function is_own(f, holder, run) return f[1] == 'processing' and f[2] == run and f[3] == holder end

-- The number of attempts, lane, waiters, unique and cancel of the record, if this holder holds this job under this run, and
-- then the id has left the held list; else nil. LREM is the first write, so a server at maxmemory lets the script go on.
local function take_from_holder(prefix, holder, id, run)
  local f = read_run(prefix, id)
  if not is_own(f, holder, run) then return nil end
  if redis.call('LREM', prefix .. 'held:' .. holder, 1, id) == 0 then return nil end
  return tonumber(f[4] or '0') or 0, f[5] or 'default:normal', f[6], f[7], f[8]
end
