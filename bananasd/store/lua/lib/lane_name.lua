-- Whether this names a lane, QUEUE:PRIORITY, that a worker can serve.
local function is_lane(lane)
  local queue, priority = string.match(lane, '^([%w_-]+):(%l+)$')
  return queue and #queue <= 64 and (priority == 'high' or priority == 'normal' or priority == 'low')
end
