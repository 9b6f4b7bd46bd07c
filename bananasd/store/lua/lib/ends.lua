-- What others have to do with a job. Its `waiters` are the names of mailboxes, each of which is told of the end; one that stands
-- after a "+" is told of every change. A mailbox keeps the latest 1000 ids, for a minute: whoever waits takes them at once,
-- and asks anew now and then.
local function post(prefix, box, id)
  local mail = prefix .. 'mail:' .. box
  -- What somebody has made of a mailbox is no reason to hold up a job.
  local count = redis.pcall('RPUSH', mail, id)
  if type(count) == 'number' and count > 1000 then redis.call('LTRIM', mail, -1000, -1) end
  redis.call('PEXPIRE', mail, 60000)
end

local function tell_change(prefix, id, waiters)
  if not waiters then return end
  for box in string.gmatch(waiters, '%+(%S+)') do post(prefix, box, id) end
end

-- Take the key that a job alone may have from it, if it has it still. (`unique` of the record: until when, a space, the key)
local function free(prefix, id, unique)
  local lock = prefix .. 'unique:' .. (string.match(unique, '^%l+ (.+)$') or '')
  if redis.pcall('GET', lock) == id then redis.call('DEL', lock) end
end

local function note_start(prefix, id, unique)
  if unique and string.sub(unique, 1, 6) == 'start ' then free(prefix, id, unique) end
end

-- What others have to do with the end of a job; f: what its record says of them, read before.
local function note_end(prefix, id, f)
  if f.unique then free(prefix, id, f.unique) end
  if not f.waiters then return end
  for box in string.gmatch(f.waiters, '[^%s+]+') do post(prefix, box, id) end
end
