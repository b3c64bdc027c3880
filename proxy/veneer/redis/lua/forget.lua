-- Forget one response of a key. ARGV: 1 field, 2 its birth. A value begins with its birth, 14 digits: a later one stays.
-- Returns 1 when something was forgotten, else 0.
local stored = redis.call('HGET', KEYS[1], ARGV[1])
if not stored or (tonumber(string.sub(stored, 1, 14)) or 0) > tonumber(ARGV[2]) then
  return 0
end
redis.call('HDEL', KEYS[1], ARGV[1])
if redis.call('HLEN', KEYS[1]) <= 1 then -- nothing but "specs"
  redis.call('DEL', KEYS[1])
end
return 1
