-- One client's bucket under one limit: veneer.core.rate.backlog, in whole microseconds by this server's clock.
-- KEYS[1]  whole_at, since, returned, floor and batches, between blanks:
--   whole_at  the moment at which the bucket is whole again
--   since     the moment at which it was last whole: batches that were taken before have nothing in it
--   returned  how much has been given back since then
--   batches   of which something was given back since then, number:how much, between commas; only the latest ones
--   floor     the highest number among those that were left out
-- ARGV     interval, tolerance, then what the script that follows takes
local interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

-- pcall: a foreign value under the key counts as none and is overwritten.
local stored = redis.pcall('GET', KEYS[1])
local whole_at, since, returned, floor, batches =
  string.match(type(stored) == 'string' and stored or '', '^(%d+) (%d+) (%d+) (%d+) (,[%d:,]*)$')
since, returned, floor = tonumber(since) or 0, tonumber(returned) or 0, tonumber(floor) or 0

local backlog = (tonumber(whole_at) or 0) - now
if backlog <= 0 or backlog > tolerance + interval then
  -- Worked off; or the clock was set back, and no history can have produced it.
  backlog = backlog > 0 and tolerance + interval or 0
  since, returned, floor, batches = now == since and now + 1 or now, 0, 0, ','
end

local function save()
  if backlog <= 0 then
    -- Once the backlog is worked off the key says nothing that its absence does not.
    redis.call('DEL', KEYS[1])
    return
  end
  local value = string.format('%.0f %.0f %.0f %.0f %s', now + backlog, since, returned, floor, batches)
  redis.call('SET', KEYS[1], value, 'PX', math.ceil(backlog / 1000))
end
