-- Grants up to `want` requests of one client at once: veneer.core.rate.backlog and .grants, in whole microseconds.
-- KEYS[1]  the moment at which the client's bucket is whole again, by this server's clock
-- ARGV     interval, tolerance, want
-- Returns  {granted, backlog after}
local interval, tolerance, want = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

-- pcall: a foreign value under the key counts as none and is overwritten.
local stored = redis.pcall('GET', KEYS[1])
local whole_at = type(stored) == 'string' and tonumber(stored) or 0
local backlog = math.min(math.floor(whole_at) - now, tolerance + interval)
if not (backlog > 0) then
  backlog = 0
end

local granted = 0
if backlog <= tolerance then
  granted = math.min(want, math.floor((tolerance - backlog) / interval) + 1)
  backlog = backlog + granted * interval
  -- Once the backlog is worked off the key says nothing that its absence does not.
  redis.call('SET', KEYS[1], string.format('%.0f', now + backlog), 'PX', math.ceil(backlog / 1000))
end
return {granted, backlog}
