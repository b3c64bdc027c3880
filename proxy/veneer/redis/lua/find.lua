-- Find the stored responses of one key that fit a request, or take the lock to fetch one. KEYS: 1 a hash with a field per
-- response, named by the digest of its Vary values, and "specs": the lists of Vary names in use, a line each; 2 the lock.
-- ARGV: 1 bytes to return at most when none fits, 2 the birth (see keep.lua) up to which all are dead, or -1, 3 token for the
-- lock, "" to take none, 4 ms it may be held, then name, value, name, value... of the request: "-" is absent, "=..." present.
-- A list with a name that is not among them cannot be judged here: then all are returned, and no lock is taken.
-- Returns what take says of the lock (see taking.lua), -1 when it was not asked for, then the responses.
local specs = redis.call('HGET', KEYS[1], 'specs')
local function nothing()
  return ARGV[3] == '' and -1 or take(KEYS[2], ARGV[3], ARGV[4])
end
if not specs then
  return {nothing()}
end
local presented = {}
for i = 5, #ARGV, 2 do
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

local dead = tonumber(ARGV[2])
local function add(list, field)
  local value = redis.call('HGET', KEYS[1], field)
  if dead < 0 or (tonumber(string.sub(value, 1, 14)) or dead + 1) > dead then
    list[#list + 1] = value
  end
end
local found, others = {-1}, {}
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if field ~= 'specs' then
    if judged and wanted[string.sub(field, 1, 40)] then
      add(found, field)
    else
      others[#others + 1] = field
    end
  end
end
if #found > 1 then
  return found
end
if judged then
  found[1] = nothing()
end
local left = tonumber(ARGV[1])
for _, field in ipairs(others) do
  local size = redis.call('HSTRLEN', KEYS[1], field)
  if not judged or size <= left then
    left = left - size
    add(found, field)
  end
end
return found
