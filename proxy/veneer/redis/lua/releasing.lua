-- release(key, token, ms, varies): give the lock back (see taking.lua). `ms` to remember that the fetch is stored, 0 when it
-- is not, `varies` the request fields by which that varies. Returns how many wait for it, -1 when the lock was lost before.
local function release(key, token, ms, varies)
  if redis.call('HGET', key, 'token') ~= token then
    return -1
  end
  local waiting = tonumber(redis.call('HGET', key, 'waiting') or 0)
  redis.call('DEL', key)
  if tonumber(ms) > 0 then
    redis.call('HSET', key, 'token', '', 'varies', varies)
    redis.call('PEXPIRE', key, ms)
  end
  return waiting
end
