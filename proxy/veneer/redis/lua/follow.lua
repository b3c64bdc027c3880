-- What a stream holds after a position, unless something between may be missing.
-- ARGV: the position ("" where none is known), how many entries, bytes of one entry, bytes of all of them.
-- Returns what is wrong ("" when nothing is), the stream's last id and the entries; of one that is too long no fields.
-- Where something is wrong the last entry alone is returned.
local key, at, most, one_bytes, all_bytes = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if redis.call('EXISTS', key) == 0 then return {'gone', '0-0', {}} end
local told = redis.call('XINFO', 'STREAM', key)
local info = {}
for i = 1, #told, 2 do info[told[i]] = told[i + 1] end

local function before(a, b)
  local a_ms, a_seq = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_seq = string.match(b, '^(%d+)-(%d+)$')
  if #a_ms ~= #b_ms then return #a_ms < #b_ms end
  if a_ms ~= b_ms then return a_ms < b_ms end
  if #a_seq ~= #b_seq then return #a_seq < #b_seq end
  return a_seq < b_seq
end

local last, deleted = info['last-generated-id'], info['max-deleted-entry-id']
local wrong = ''
if at == '' then
  wrong = 'new'
elseif before(last, at) then
  wrong = 'ahead'
elseif at ~= last then
  if deleted and before(at, deleted) then
    wrong = 'deleted'
  elseif at == '0-0' then
    if info['entries-added'] ~= info['length'] then wrong = 'trimmed' end
  elseif #redis.call('XRANGE', key, at, at) == 0 then
    wrong = 'trimmed'
  end
end

local found
if wrong ~= '' then
  found = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)
else
  local ms, seq = string.match(at, '^(%d+)-(%d+)$')
  found = redis.call('XRANGE', key, '(' .. ms .. '-' .. seq, '+', 'COUNT', most)
end
local entries, bytes = {}, 0
for _, entry in ipairs(found) do
  local size = 0
  for _, text in ipairs(entry[2]) do size = size + #text end
  if size > one_bytes then
    entries[#entries + 1] = {entry[1], false}
  else
    entries[#entries + 1] = entry
    bytes = bytes + size
  end
  if bytes >= all_bytes then break end
end
return {wrong, last, entries}
