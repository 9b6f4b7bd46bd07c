-- await: tell how jobs stand, and have a mailbox told of those that have not ended. It is named once in a record, among the
-- latest thousand or so; one that was crowded out comes in again when it asks again.
--
-- KEYS  1 the mailbox
-- ARGV  1 key prefix   2 name of the mailbox; after "+" if it is to be told of every change, not of the end alone   3.. ids
-- Returns now, then the status of each job, "" if there is none.
--!include now
local MAX_BYTES = 34000
local prefix, box = ARGV[1], ARGV[2]
local FINAL = { completed = 1, failed = 1, cancelled = 1, expired = 1 }
-- Not pcall: what a server that is no primary any more says of a job is not true.
redis.call('LREM', KEYS[1], 1, '')

local function enlist(job, waiters)
  if waiters and string.find(' ' .. waiters .. ' ', ' ' .. box .. ' ', 1, true) then return end
  if waiters and #waiters > MAX_BYTES then waiters = string.match(waiters, ' (.*)') end
  redis.call('HSET', job, 'waiters', waiters and waiters .. ' ' .. box or box)
end

local out = { now_ms() }
for i = 3, #ARGV do
  local job = prefix .. 'job:' .. ARGV[i]
  local f = redis.pcall('HMGET', job, 'status', 'waiters')
  if f[1] and not FINAL[f[1]] then enlist(job, f[2]) end
  out[#out + 1] = f[1] or ''
end
return out
