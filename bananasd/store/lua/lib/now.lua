-- The server's clock in milliseconds. Hosts' clocks may be wrong, so every comparison with "now" uses this one.
local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
