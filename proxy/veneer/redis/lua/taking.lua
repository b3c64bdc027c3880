-- take(key, token, ms): the lock to fetch a key, a hash with the holder's token, "" once its fetch is stored, how many wait,
-- and by which request fields, separated by commas, what was stored varies. Passes over a fetch that is stored.
-- Returns 0 when taken, else the ms that the holder has left; -1 where nothing can be written.
local function take(key, token, ms)
  local holder = redis.call('HGET', key, 'token')
  if not holder or holder == '' then
    redis.pcall('DEL', key)
    local set = redis.pcall('HSET', key, 'token', token)
    if type(set) == 'table' and set.err then
      return -1
    end
    redis.call('PEXPIRE', key, ms)
    return 0
  end
  local waiting = redis.pcall('HINCRBY', key, 'waiting', 1)
  if type(waiting) == 'table' and waiting.err then
    return -1
  end
  return math.max(1, redis.call('PTTL', key))
end
