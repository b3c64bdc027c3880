-- Take the right to read a source of changes, go on having it, or give it back, and say how far the source has come.
-- ARGV: 7 the source, 8 for how many ms, 0 to give it back, 9 the moment, in ms, before which all that was committed is in
-- the log, or "", 10 the source's own position then, 11 the epoch whose clock told the moment.
-- Returns epoch, Redis ms, and who has the right.
settle()
local source, lasts_ms = ARGV[7], tonumber(ARGV[8])
local till, reader = string.match(state['r:' .. source] or '', '^(%d+) (.*)$')
if reader and reader ~= node and tonumber(till) > now then
  return { state.epoch, text(now), reader }
end
if lasts_ms == 0 then
  redis.call('HDEL', state_key, 'r:' .. source)
  return { state.epoch, text(now), '' }
end
redis.call('HSET', state_key, 'r:' .. source, text(now + lasts_ms) .. ' ' .. node)
if ARGV[9] ~= '' and ARGV[11] == state.epoch then
  local before = tonumber(string.match(state['s:' .. source] or '', '^(%d+)')) or 0
  local as_of = math.min(tonumber(ARGV[9]), now)
  if as_of >= before then
    redis.call('HSET', state_key, 's:' .. source, text(as_of) .. ' ' .. ARGV[10])
  end
end
return { state.epoch, text(now), node }
