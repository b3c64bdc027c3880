-- Find the stored responses of one key that fit a request. KEYS[1]: a hash with a field per response, named by the digest
-- of its Vary values, and "specs": the lists of Vary names in use, a line each.
-- ARGV: 1 bytes to return at most when none fits, then name, value, name, value... of the request: "-" is absent,
-- "=..." present. A list with a name that is not among them cannot be judged here: then all are returned.
local specs = redis.call('HGET', KEYS[1], 'specs')
if not specs then
  return {}
end
local presented = {}
for i = 2, #ARGV, 2 do
  presented[ARGV[i]] = ARGV[i + 1]
end

local wanted, judged = {}, true
for spec in string.gmatch(specs, '([^\n]*)\n') do
  local text = ''
  for name in string.gmatch(spec, '[^,]+') do
    judged = judged and presented[name] ~= nil
    text = text .. name .. (presented[name] or '-') .. '\n'
  end
  wanted[redis.sha1hex(text)] = true
end

local found, others = {}, {}
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if field ~= 'specs' then
    if judged and wanted[string.sub(field, 1, 40)] then
      found[#found + 1] = redis.call('HGET', KEYS[1], field)
    else
      others[#others + 1] = field
    end
  end
end
if #found > 0 then
  return found
end
local left = tonumber(ARGV[1])
for _, field in ipairs(others) do
  local size = redis.call('HSTRLEN', KEYS[1], field)
  if not judged or size <= left then
    left = left - size
    found[#found + 1] = redis.call('HGET', KEYS[1], field)
  end
end
return found
