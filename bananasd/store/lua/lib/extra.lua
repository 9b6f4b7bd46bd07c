-- What submit is told of a job besides its spec: a JSON object.
local CHOICES = {
  unique_until = { ['end'] = 1, start = 1 },
  on_duplicate = { ['return'] = 1, raise = 1, replace = 1 },
}

local function is_ms(value, least) return type(value) == 'number' and value >= least and value <= 1e14 end

-- Why an extra will not do, else nothing.
local function fault_of_extra(extra)
  if type(extra) ~= 'table' then return 'it is no JSON object' end
  if extra.expires_in ~= nil and not is_ms(extra.expires_in, 0) then return 'its expires_in is no number of milliseconds' end
  local key = extra.unique
  if key ~= nil and (type(key) ~= 'string' or key == '' or #key > 1000) then return 'its unique is no key of 1 to 1000 bytes' end
  if extra.unique_ms ~= nil and not is_ms(extra.unique_ms, 1) then return 'its unique_ms is no number of milliseconds' end
  for name, choices in pairs(CHOICES) do
    if extra[name] ~= nil and not choices[extra[name]] then return 'its ' .. name .. ' is none' end
  end
end

-- The object, or nothing and why it will not do.
local function read_extra(words)
  local is_json, extra = pcall(cjson.decode, words)
  local fault = fault_of_extra(is_json and extra)
  if fault then return nil, 'extra: ' .. fault end
  return extra
end
