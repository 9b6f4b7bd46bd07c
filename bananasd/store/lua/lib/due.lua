-- What a caller said of a due time, in ms since the epoch: "+N" counts from now, what is no number is now. Whole and not
-- negative, as claim wants it; ~= tells what is no number at all (NaN).
local function due_time(due, now)
  local at = tonumber(due) or now
  if string.sub(due, 1, 1) == '+' then at = at + now end
  if at ~= at then at = now end
  return math.max(0, math.floor(at))
end
