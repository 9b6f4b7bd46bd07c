-- Until when queues are paused. `*` stands for all of them; a pause that is over counts as none.
local function is_paused(prefix, queue, now)
  for _, until_ms in ipairs(redis.call('ZMSCORE', prefix .. 'paused', '*', queue)) do
    if until_ms and (until_ms == 'inf' or tonumber(until_ms) > now) then return true end
  end
  return false
end
