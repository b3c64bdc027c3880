-- Renew a node's lease and hand over the events it has not applied.
-- ARGV: 7 the epoch the node is in, 8 the last position it applied, 9 most events to hand over, 10 most to a newcomer.
-- Returns epoch, its number, last position, lease (ms), Redis ms, events in order, nodes with a lease.
bury(node)
local lease_ms = math.min(own_lease_ms, tonumber(state.lease))
redis.call('HSET', state_key, 'n:' .. node, text(now + lease_ms))
redis.call('HDEL', state_key, 'g:' .. node)

local events
if ARGV[7] == state.epoch then
  local first = state.ms .. '-' .. text(tonumber(ARGV[8]) + 1)
  events = redis.call('XRANGE', stream_key, first, '+', 'COUNT', ARGV[9])
else
  local latest = redis.call('XREVRANGE', stream_key, '+', '-', 'COUNT', ARGV[10])
  events = {}
  for i = #latest, 1, -1 do
    events[#events + 1] = latest[i]
  end
end
local nodes = 1
for field, value in pairs(state) do
  if string.sub(field, 1, 2) == 'n:' and string.sub(field, 3) ~= node and tonumber(value) > now then
    nodes = nodes + 1
  end
end
return { state.epoch, state.ms, state.seq, text(lease_ms), text(now), events, text(nodes) }
