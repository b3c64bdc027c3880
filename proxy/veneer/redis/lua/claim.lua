-- Take the right to read a source of changes, go on having it, or give it back, and say how far the source has come.
-- ARGV: 7 the source's key, "name@digest", 8 for how many ms, 0 to give it back, 9 the moment, in ms, before which all that was
-- committed is in the log, or "", 10 the source's own position then, or "" where nothing is told, 11 the epoch whose clock
-- told the moment, 12 what the position is one of.
-- Returns epoch, Redis ms, who has the right, and what was told before: "ms origin position", or "".
settle()
local key, lasts_ms = ARGV[7], tonumber(ARGV[8])
local name = string.match(key, '^[^@]*')
local till, reader = string.match(state['r:' .. name] or '', '^(%d+) (.*)$')
local told = state['s:' .. key]
if reader and reader ~= node and tonumber(till) > now then
  return { state.epoch, text(now), reader, told or '' }
end
if lasts_ms == 0 then
  redis.call('HDEL', state_key, 'r:' .. name)
  return { state.epoch, text(now), '', told or '' }
end
redis.call('HSET', state_key, 'r:' .. name, text(now + lasts_ms) .. ' ' .. node)
if ARGV[10] ~= '' and ARGV[11] == state.epoch then
  local before = tonumber(string.match(told or '', '^%d+')) or 0
  local as_of = math.max(before, math.min(tonumber(ARGV[9]) or 0, now))
  redis.call('HSET', state_key, 's:' .. key, text(as_of) .. ' ' .. ARGV[12] .. ' ' .. ARGV[10])
  for field in pairs(state) do
    if field ~= 's:' .. key and string.sub(field, 1, #name + 3) == 's:' .. name .. '@' then
      redis.call('HDEL', state_key, field)
    end
  end
end
return { state.epoch, text(now), node, told or '' }
