-- Look at what one key holds. ARGV: 1 bytes to return at most.
-- Returns how many responses there are, their bytes together, and those that fit within the bound.
local count, bytes, left = 0, 0, tonumber(ARGV[1])
local shown = {}
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if field ~= 'specs' then
    local size = redis.call('HSTRLEN', KEYS[1], field)
    count, bytes = count + 1, bytes + size
    if size <= left then
      left = left - size
      shown[#shown + 1] = redis.call('HGET', KEYS[1], field)
    end
  end
end
return { count, bytes, shown }
