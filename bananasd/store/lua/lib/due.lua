-- A due time as callers tell it: ms since the epoch, or "+N" for N ms from now. No later than what every reader of a record
-- takes for a number; parts of a millisecond, which many languages make, are left out.
local function is_due_time(due) return due and string.find(due, '^%+?%d+%.?%d*$') and tonumber(due) <= 9e14 end

local function due_time(due, now)
  local ms = math.floor(tonumber(due))
  return string.sub(due, 1, 1) == '+' and now + ms or ms
end
