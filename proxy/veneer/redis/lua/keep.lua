-- Store one response of a key, and give back the lock in which it was fetched. KEYS: 1 the hash (see find.lua), 2 the lock.
-- ARGV: 1 field, 2 its Vary names as a line of "specs", 3 value, 4 ms to keep, 5 most responses per key, 6 the lock's token,
-- "" for none, 7 ms to remember that the fetch is stored, 8 by what it varies (see releasing.lua).
-- A value begins with its birth, 14 digits: a response fetched earlier never replaces a later one.
-- An empty value only takes the old one away, and so does a full memory: what has been replaced must not come back.
-- Returns {1 when something was replaced, else 0, or why it cannot be stored; how many wait for the lock}.
local function keep()
  local born = tonumber(string.sub(ARGV[3], 1, 14))
  local before = redis.call('HGET', KEYS[1], ARGV[1])
  if ARGV[3] == '' then
    return redis.call('HDEL', KEYS[1], ARGV[1])
  end
  if before and (tonumber(string.sub(before, 1, 14)) or 0) > born then
    return 0
  end

  local full
  local function set(field, value)
    local reply = full or redis.pcall('HSET', KEYS[1], field, value)
    if type(reply) == 'table' and reply.err then
      full = reply
    end
  end

  local specs = redis.call('HGET', KEYS[1], 'specs') or ''
  if not string.find('\n' .. specs, '\n' .. ARGV[2] .. '\n', 1, true) then
    local _, lines = string.gsub(specs, '\n', '')
    if lines >= 8 then -- an origin that varies its Vary: begin again rather than search among ever more
      redis.call('DEL', KEYS[1])
      specs = ''
    end
    set('specs', specs .. ARGV[2] .. '\n')
  end
  set(ARGV[1], ARGV[3])
  if full then
    redis.call('HDEL', KEYS[1], ARGV[1])
    return string.match(full.err, 'OOM .*') or full.err
  end

  local excess = redis.call('HLEN', KEYS[1]) - 1 - tonumber(ARGV[5])
  if excess > 0 then
    for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
      if excess > 0 and field ~= 'specs' and field ~= ARGV[1] then
        redis.call('HDEL', KEYS[1], field)
        excess = excess - 1
      end
    end
  end
  redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), tonumber(ARGV[4])))
  return before and 1 or 0
end

local kept = keep()
local waiting = -1
if ARGV[6] ~= '' then
  waiting = release(KEYS[2], ARGV[6], type(kept) == 'number' and ARGV[7] or 0, ARGV[8])
end
return {kept, waiting}
