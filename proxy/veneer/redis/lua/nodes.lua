-- The nodes that have a lease on the log. KEYS[1] is the hash of its state (state.lua).
-- Returns for each its name and the ms left of its lease.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local flat = redis.call('HGETALL', KEYS[1])
local found = {}
for i = 1, #flat, 2 do
  local left = string.sub(flat[i], 1, 2) == 'n:' and tonumber(flat[i + 1]) - now or 0
  if left > 0 then
    found[#found + 1] = string.sub(flat[i], 3)
    found[#found + 1] = string.format('%.0f', left)
  end
end
return found
