-- Take the lock KEYS[1] to fetch a key (see taking.lua).
-- ARGV: 1 token, 2 ms it may be held, 3 "1" to pass over a fetch that is stored (it was looked at, and is of no use).
-- Returns 0 when taken, the names of the fields by which it varies when a fetch was stored just now, else the ms that the
-- holder has left.
if ARGV[3] ~= '1' and redis.call('HGET', KEYS[1], 'token') == '' then
  return redis.call('HGET', KEYS[1], 'varies') or ''
end
local left = take(KEYS[1], ARGV[1], ARGV[2])
return left < 0 and redis.error_reply('ERR the lock cannot be written') or left
