-- read_orders: what cancels of running jobs ask of a node.
--
-- An order stays until it is said to be done, or its run is over: so none is lost with the scheduler that has read it.
--
-- KEYS  1 orders of the node
-- ARGV  1 key prefix   2.. orders that are done
-- Returns the others, each as "HOLDER ID RUN MODE", a thousand at most.
local orders, prefix = KEYS[1], ARGV[1]
-- It also keeps the list short; a list of another type is the doctor's.
redis.pcall('LTRIM', orders, -1000, -1)
for i = 2, #ARGV do redis.pcall('LREM', orders, 0, ARGV[i]) end
local all, left = redis.pcall('LRANGE', orders, 0, -1), {}
if all.err then return left end

local function is_going_on(holder, id, run)
  local f = redis.pcall('HMGET', prefix .. 'job:' .. id, 'status', 'holder', 'run')
  return f[1] == 'processing' and f[2] == holder and f[3] == run
end

for _, order in ipairs(all) do
  local holder, id, run = string.match(order, '^(.*) (%S+) (%d+) %a+$')
  if holder and is_going_on(holder, id, run) then
    left[#left + 1] = order
  else
    redis.call('LREM', orders, 0, order)
  end
end
return left
