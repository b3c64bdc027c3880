-- Put events into the order. ARGV from 7, three for each: event, the writer to acknowledge it to or "", and for how many
-- ms what it names is held (0: not at all).
-- Returns epoch, its number, the last position, for each other live node its name and the ms left of its lease, and the
-- nodes found gone.
-- While leases of an epoch before this one may be in force, one more name stands for their holders: "".
settle()
local gone = bury(node)
for i = 7, #ARGV, 3 do
  local hold_ms = tonumber(ARGV[i + 2])
  if hold_ms > 0 then
    hold(ARGV[i], ARGV[i + 1], hold_ms)
  else
    push(ARGV[i], ARGV[i + 1])
  end
end
local live = {}
for field, value in pairs(state) do
  local left = math.min(tonumber(value) or 0, now + tonumber(state.lease)) - now
  if string.sub(field, 1, 2) == 'n:' and string.sub(field, 3) ~= node and left > 0 then
    live[#live + 1] = string.sub(field, 3)
    live[#live + 1] = text(left)
  end
end
local before = math.min(tonumber(state.began), now) + tonumber(state.lease) - now
if before > 0 then
  live[#live + 1] = ''
  live[#live + 1] = text(before)
end
return { state.epoch, state.ms, state.seq, live, gone }
