-- Takes back what is not spent of a batch. A bucket works off first what was counted first: what of the batch is
-- worked off, and what was given back before, is gone. To give back twice, late, or what another life of the bucket has
-- granted does nothing.
-- ARGV     ..., unspent, and of the batch whole_at, since, returned as admit.lua has said them
-- Returns  how much was taken back
local unspent, batch_whole_at, batch_since, batch_returned =
  tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
-- All that was counted up to the batch: it grows with each one.
local number = batch_whole_at + batch_returned - batch_since
if since ~= batch_since or number <= floor then
  return 0
end
local behind = 0
for other, amount in string.gmatch(batches, '(%d+):(%d+)') do
  if tonumber(other) == number then
    return 0
  elseif tonumber(other) > number then
    behind = behind + tonumber(amount)
  end
end
-- What was given back since of batches before this one has moved it up by as much.
local not_worked_off = batch_whole_at - (returned - batch_returned - behind) - now
local back = math.min(unspent * interval, not_worked_off, backlog)
if back <= 0 then
  return 0
end
batches = batches .. string.format('%.0f:%.0f,', number, back)
if #batches > 512 then
  local first, others = string.match(batches, '^,(%d+):%d+(,.*)$')
  floor, batches = math.max(floor, tonumber(first)), others
end
returned, backlog = returned + back, backlog - back
save()
return back
