-- Head of every script of the log. KEYS[1] is the hash of the log's state, KEYS[2] the stream of its events, KEYS[3] the
-- hash of holds, "<name>": "<end, Redis ms> <event>". Holds outlive an epoch where Redis keeps its data.
-- ARGV: 1 node, 2 lease (ms), 3 nonce, 4 events kept, 5 the event "everything", 6 bytes of events kept.
--
-- State: run (of the server that began the epoch), ms and epoch (its number and name), seq (last event), began (Redis
-- ms), lease (ms), "n:<node>" (when its lease ends, Redis ms), "w:<node>" (number of the telling, and for how many ms after
-- the node's end a write it sent may be carried out, 0 for none), "g:<node>" (a node that vanished with a write under way:
-- until when that may still be carried out), half (bytes of events since "mark", a position before which all will be trimmed when
-- they are half of what is kept), due (Redis ms: when the first hold ends). One key, so that it is lost as a whole or not at all.
local state_key, stream_key, holds_key = KEYS[1], KEYS[2], KEYS[3]
local node, nonce, events_kept, everything = ARGV[1], ARGV[3], ARGV[4], ARGV[5]
local own_lease_ms, bytes_kept = tonumber(ARGV[2]), tonumber(ARGV[6])

local function text(number)
  return string.format('%.0f', number)
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')

local state = {}
local flat = redis.call('HGETALL', state_key)
for i = 1, #flat, 2 do
  state[flat[i]] = flat[i + 1]
end

-- Where memory is full Redis refuses the first write of a script that may grow; after one that frees, it lets the rest
-- pass. What the log adds is bounded, and without it nothing stored could be used and no write answered.
redis.call('HDEL', holds_key, '')

-- Each hold: its name, when it ends, and its event.
local function each_hold(visit)
  local held = redis.call('HGETALL', holds_key)
  for i = 1, #held, 2 do
    local till, payload = string.match(held[i + 1], '^(%d+) (.*)$')
    visit(held[i], tonumber(till), payload)
  end
end

local function set_due()
  local due
  each_hold(function(_, till)
    due = math.min(due or till, till)
  end)
  state.due = due and text(due)
  if due then
    redis.call('HSET', state_key, 'due', state.due)
  else
    redis.call('HDEL', state_key, 'due')
  end
end

-- Another server process, a lost key or a lost stream: events or leases may be missing, so all begins anew.
local function begin_epoch()
  local ms = math.max(now, (tonumber(state.ms) or 0) + 1)
  local before = state
  redis.call('DEL', state_key, stream_key)
  state = {
    run = run, ms = text(ms), epoch = text(ms) .. '-' .. nonce, seq = '0',
    began = text(now), lease = text(own_lease_ms),
  }
  -- Where Redis kept its data, it knows of writes that may be under way still: of nodes that have vanished, or may have.
  for field, value in pairs(before) do
    local kind, name = string.sub(field, 1, 2), string.sub(field, 3)
    local feared_ms = kind == 'w:' and tonumber(string.match(value, ' (%d+)$')) or 0
    if feared_ms > 0 then
      state['g:' .. name] = text(now + tonumber(state.lease) + feared_ms)
    elseif kind == 'g:' and not state[field] then
      state[field] = value
    end
  end
  for field, value in pairs(state) do
    redis.call('HSET', state_key, field, value)
  end
  set_due()
end

local seq = tonumber(state.seq)
if state.run ~= run or not seq or (seq > 0 and redis.call('XLEN', stream_key) == 0)
  or (state.due and redis.call('HLEN', holds_key) == 0) then
  begin_epoch()
end

-- `mark` is 'o', with milliseconds and a name, where the event opens a hold, 'c', with a name, where it closes one, 'l', with
-- the names of nodes, where it stands for writes of nodes that vanished.
local function push(payload, writer, mark, value)
  local next_seq = tonumber(state.seq) + 1
  state.seq = text(next_seq)
  redis.call('XADD', stream_key, 'MAXLEN', '~', events_kept, state.ms .. '-' .. state.seq,
    'e', payload, 'w', writer, mark or '-', value or '')
  -- For nodes that are far away and listen (stores.published). One that hears nothing, or may not publish, loses time only.
  if #payload <= 16384 then
    local lines = { state.ms .. '-' .. state.seq, writer, mark or '-', value or '', payload }
    redis.pcall('PUBLISH', stream_key, table.concat(lines, '\n'))
  end
  local half = (tonumber(state.half) or 0) + #payload
  if half > bytes_kept / 2 then
    if state.mark then
      redis.call('XTRIM', stream_key, 'MINID', '~', state.ms .. '-' .. state.mark)
    end
    state.mark, half = state.seq, 0
    redis.call('HSET', state_key, 'mark', state.mark)
  end
  state.half = text(half)
  redis.call('HSET', state_key, 'seq', state.seq, 'half', state.half)
end

local function hold(payload, writer, hold_ms)
  local name, till = redis.sha1hex(payload), now + hold_ms
  local before = redis.call('HGET', holds_key, name)
  if before then
    till = math.max(till, tonumber(string.match(before, '^%d+')))
  end
  push(payload, writer, 'o', text(till - now) .. ' ' .. name)
  redis.call('HSET', holds_key, name, text(till) .. ' ' .. payload)
  state.due = text(math.min(tonumber(state.due) or till, till))
  redis.call('HSET', state_key, 'due', state.due)
end

-- Repeat the events of the holds that have ended.
local function settle()
  if not state.due or tonumber(state.due) > now then
    return
  end
  each_hold(function(name, till, payload)
    if till <= now then
      push(payload, '', 'c', name)
      redis.call('HDEL', holds_key, name)
    end
  end)
  set_due()
end

-- A node that went without a good-bye may have sent a write and never told. Then everything before now is suspect, and
-- once more when the last write it sent must have been carried out. A node of a version that does not tell is feared.
-- Returns the nodes found gone: name, ms for which a write of it is feared...
local function bury(own)
  local found, suspects = {}, {}
  for field, value in pairs(state) do
    local kind, name = string.sub(field, 1, 2), string.sub(field, 3)
    if kind == 'n:' and name ~= own and tonumber(value) <= now then
      local feared_ms = tonumber(string.match(state['w:' .. name] or '0 60000', ' (%d+)$'))
      redis.call('HDEL', state_key, field, 'w:' .. name)
      found[#found + 1] = name
      found[#found + 1] = text(feared_ms)
      if feared_ms > 0 then
        redis.call('HSET', state_key, 'g:' .. name, text(now + feared_ms))
        suspects[#suspects + 1] = name
      end
    elseif kind == 'g:' and tonumber(value) <= now then
      redis.call('HDEL', state_key, field)
      suspects[#suspects + 1] = name
    end
  end
  if #suspects > 0 then
    push(everything, '', 'l', table.concat(suspects, ', '))
  end
  return found
end
