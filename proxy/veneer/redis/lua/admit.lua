-- Grants up to `want` requests at once, at most the `shares`th part of what is left (but one), and none if it were
-- fewer than `least`: veneer.core.rate.grants.
-- ARGV     ..., want, shares, least
-- Returns  {granted, backlog after, whole_at after, since, returned}; the last three name the batch
local want, shares, least = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local granted = 0
if backlog <= tolerance then
  local left = math.floor((tolerance - backlog) / interval) + 1
  granted = math.min(want, math.max(1, math.floor(left / shares)))
  if granted < least then
    granted = 0
  end
end
if granted > 0 then
  backlog = backlog + granted * interval
  save()
end
return {granted, backlog, now + backlog, since, returned}
