-- Give the lock back. ARGV: 1 token, 2 ms to remember that the fetch is stored, 0 when it is not,
-- 3 by which request fields that varies.
-- Returns how many wait for it, -1 when the lock was lost before.
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return -1
end
local waiting = tonumber(redis.call('HGET', KEYS[1], 'waiting') or 0)
redis.call('DEL', KEYS[1])
if tonumber(ARGV[2]) > 0 then
  redis.call('HSET', KEYS[1], 'token', '', 'varies', ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return waiting
