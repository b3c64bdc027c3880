-- Take the lock to fetch a key. KEYS[1]: a hash with the holder's token, "" once its fetch is stored, how many wait, and
-- by which request fields, separated by commas, what was stored varies.
-- ARGV: 1 token, 2 ms it may be held, 3 "1" to pass over a fetch that is stored (it was looked at, and is of no use).
-- Returns 0 when taken, those fields when a fetch was stored just now, else the ms that the holder has left.
local holder = redis.call('HGET', KEYS[1], 'token')
if not holder or (holder == '' and ARGV[3] == '1') then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'token', ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return 0
end
if holder == '' then
  return redis.call('HGET', KEYS[1], 'varies') or ''
end
redis.call('HINCRBY', KEYS[1], 'waiting', 1)
return math.max(1, redis.call('PTTL', KEYS[1]))
