-- Renew a node's lease and hand over the events it has not applied.
-- ARGV: 7 the epoch the node is in, 8 the last position it applied, 9 most events to hand over, 10 most to a newcomer,
-- 11 the number of this telling of its writes, 12 for how many ms after its end one of them may be carried out, 0 for none.
-- Returns epoch, its number, last position, lease (ms), Redis ms, events in order, nodes with a lease, and where events are
-- missing between, the holds: name, ms left, event..., the nodes found gone, and the sources of changes: key, for how many
-- ms it may have told nothing of what was committed, position, reader or "".
settle()
local gone = bury(node)
local lease_ms = math.min(own_lease_ms, tonumber(state.lease))
redis.call('HSET', state_key, 'n:' .. node, text(now + lease_ms))
redis.call('HDEL', state_key, 'g:' .. node)
-- A telling that waited in a socket, and comes after a later one, says what is no longer so.
local before = state['w:' .. node]
if not before or tonumber(string.match(before, '^%d+')) < tonumber(ARGV[11]) then
  redis.call('HSET', state_key, 'w:' .. node, ARGV[11] .. ' ' .. ARGV[12])
end

-- Events from one end of the log on, at most `most`, and no more once they are 4 MB: a reply has to arrive in time.
local function collect(command, from, to, most)
  local found, bytes, batch = {}, 0, nil
  repeat
    batch = redis.call(command, stream_key, from, to, 'COUNT', math.min(20, most - #found))
    for _, event in ipairs(batch) do
      found[#found + 1] = event
      bytes = bytes + #event[2][2]
    end
    from = #batch > 0 and '(' .. batch[#batch][1]
  until #batch < 20 or #found >= most or bytes > 4194304
  return found
end

local events
if ARGV[7] == state.epoch then
  events = collect('XRANGE', '(' .. state.ms .. '-' .. ARGV[8], '+', tonumber(ARGV[9]))
else
  local latest = collect('XREVRANGE', '+', '-', tonumber(ARGV[10]))
  events = {}
  for i = #latest, 1, -1 do
    events[#events + 1] = latest[i]
  end
end
local first = events[1] and string.match(events[1][1], '-(%d+)$') or text(tonumber(state.seq) + 1)
local held = {}
if state.due and (ARGV[7] ~= state.epoch or tonumber(first) ~= tonumber(ARGV[8]) + 1) then
  each_hold(function(name, till, payload)
    held[#held + 1] = name
    held[#held + 1] = text(math.max(0, till - now))
    held[#held + 1] = payload
  end)
end
local nodes = 1
for field, value in pairs(state) do
  if string.sub(field, 1, 2) == 'n:' and string.sub(field, 3) ~= node and tonumber(value) > now then
    nodes = nodes + 1
  end
end
local sources = {}
for field, value in pairs(state) do
  if string.sub(field, 1, 2) == 's:' then
    local key = string.sub(field, 3)
    local as_of, position = string.match(value, '^(%d+) %S* (.*)$')
    local till, reader = string.match(state['r:' .. string.match(key, '^[^@]*')] or '', '^(%d+) (.*)$')
    sources[#sources + 1] = key
    sources[#sources + 1] = text(math.max(0, now - tonumber(as_of)))
    sources[#sources + 1] = position
    sources[#sources + 1] = till and tonumber(till) > now and reader or ''
  end
end
return { state.epoch, state.ms, state.seq, text(lease_ms), text(now), events, text(nodes), held, gone, sources }
