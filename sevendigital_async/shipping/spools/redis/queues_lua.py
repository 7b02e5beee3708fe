"""The Lua half of the spool that every script begins with: clock, tickets, counters, journal.

What is leased is a *ticket*. A user's queue is one (``u:ann``) with a stream of its own; so is the shared queue
(``s``), whose batches become tickets of their own (``b:17``) while they are away, so that the queue goes on without
them. After a loss, ``a:token:ann`` holds what a worker had in its hands. Per kind a ticket is in exactly one of these::

    lingering (by the time its batch is cut) -> ready (a list: rotation) -> away (leased) -> resting (by its time)

A record is an entry of a stream, pending with the consumer of its ticket from its first lease until it is settled;
only then is it acknowledged and deleted. Leases live in a sorted set by the time their heartbeat runs out.

Redis deletes a key that gets empty, so a key that is missing would mean nothing. Here it does: all keys but streams of
queues and leases exist for as long as the spool does, with a member of no meaning (an empty name, the time ``inf``) in
each. So whatever deletes or evicts one is noticed by the next step, before it changes anything.
"""

from __future__ import annotations

from ....models import LogKind

PRELUDE = """
local base, call = KEYS[1], redis.call
local t = call('TIME')
local told = t[1] * 1000 + t[2] / 1000 + tonumber(ARGV[1])
local stamp = string.format('%.0f', told * 1000)
local known = call('HMGET', base .. 'spool', 'id', 'behind', 'latest')
-- The spool's own clock never goes back, or what rests would rest for as long as Redis's has jumped.
local behind, latest = tonumber(known[2] or 0), tonumber(known[3] or 0)
local now = told + behind
if now < latest then
  behind, now = behind + latest - now, latest
  for _, name in ipairs({'spool', 'room'}) do
    if call('EXISTS', base .. name) == 1 then call('HSET', base .. name, 'behind', string.format('%.3f', behind)) end
  end
end
if known[1] and now > latest + 1000 then call('HSET', base .. 'spool', 'latest', string.format('%.3f', now)) end

local function of(name, kind) return base .. name .. ':' .. kind end
local function number(key, field) return tonumber(call('HGET', key, field) or 0) end
local function count(kind, place, n) if n ~= 0 then call('HINCRBY', of('counts', kind), place, n) end end
local function is(ticket, sort) return string.sub(ticket, 1, 2) == sort .. ':' end
local function stream_of(kind, ticket)
  return base .. 'queue:' .. kind .. ':' .. (is(ticket, 'b') and 's' or ticket)
end
local function consumer_of(ticket) return is(ticket, 'b') and ticket or 'q' end
local function queue_of(kind, ticket)
  if is(ticket, 'u') then return string.sub(ticket, 3) end
  return is(ticket, 'a') and string.match(ticket, '^a:[^:]*:(.*)$') or ''
end
-- The first member of a sorted set and its score.
local function first_of(key)
  local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')
  if first[1] and first[1] ~= '' then return first[1], tonumber(first[2]) end
end
-- The list of what is ready ends with a member of no meaning.
local function push_last(kind, ticket)
  call('LSET', of('ready', kind), -1, ticket)
  call('RPUSH', of('ready', kind), '')
end

local function take_room(logs, bytes)
  -- Of a minus zero Redis says that it is no integer.
  return call('HINCRBY', base .. 'room', 'logs', logs + 0), call('HINCRBY', base .. 'room', 'bytes', bytes + 0)
end
local function ok() return {'ok', number(base .. 'room', 'logs'), number(base .. 'room', 'bytes')} end

local function load(kind, ticket, logs, bytes)
  call('HINCRBY', of('bytes', kind), ticket, bytes)
  local left = call('HINCRBY', of('load', kind), ticket, logs)
  if left == 0 then
    call('HDEL', of('load', kind), ticket)
    call('HDEL', of('bytes', kind), ticket)
    call('ZREM', of('oldest', kind), ticket)
  end
  return left
end

local function last_read(stream)
  local group = call('XINFO', 'GROUPS', stream)[1]
  for i = 1, #group, 2 do if group[i] == 'last-delivered-id' then return group[i + 1] end end
end

local function is_full(kind, ticket)
  local most, bytes = call('HGET', base .. 'spool', kind .. '.count'), call('HGET', base .. 'spool', kind .. '.bytes')
  return not most or number(of('load', kind), ticket) >= tonumber(most)
    or number(of('bytes', kind), ticket) >= tonumber(bytes)
end

local function put_at(kind, ticket)
  local stream = stream_of(kind, ticket)
  local first = call('XRANGE', stream, ticket == 's' and '(' .. last_read(stream) or '-', '+', 'COUNT', 1)[1]
  return first and tonumber(first[2][6]) or now
end

-- Put a ticket where its records belong: ready if they fill a batch, lingering if not.
local function file(kind, ticket)
  if is_full(kind, ticket) then
    call('ZREM', of('lingering', kind), ticket)
    push_last(kind, ticket)
  else
    call('ZADD', of('lingering', kind), put_at(kind, ticket) + number(base .. 'spool', kind .. '.linger'), ticket)
  end
end

local function add(kind, ticket, body, played, doubted)
  local stream = stream_of(kind, ticket)
  if call('EXISTS', stream) == 0 then call('XGROUP', 'CREATE', stream, 'g', '0', 'MKSTREAM') end
  local id = string.format('%.0f-0', call('INCR', base .. 'sequence'))
  call('XADD', stream, id, 'b', body, 'p', played, 'a', string.format('%.3f', now))
  if doubted then call('SADD', of('doubted', kind), id) end
  return id
end

local function ticket_of(queue) return queue == '' and 's' or 'u:' .. queue end

-- Append to a queue; the ticket is filed anew if that makes a difference.
local function append(kind, queue, body, played, doubted)
  local ticket = ticket_of(queue)
  add(kind, ticket, body, played, doubted)
  local left = load(kind, ticket, 1, #body)
  if left == 1 then call('ZADD', of('oldest', kind), now, ticket) end
  local away = call('HEXISTS', of('away', kind), ticket) == 1
  if left == 1 and not away then
    file(kind, ticket)
  elseif is_full(kind, ticket) and call('ZSCORE', of('lingering', kind), ticket) then
    file(kind, ticket)
  end
end

local function advance(kind, flush)
  for _ = 1, 64 do
    local ticket, at = first_of(of('resting', kind))
    if not ticket or at > now then break end
    call('ZREM', of('resting', kind), ticket)
    call('LPUSH', of('ready', kind), ticket)
  end
  for _ = 1, 64 do
    local ticket, at = first_of(of('lingering', kind))
    if not ticket or (at > now and not flush) then break end
    call('ZREM', of('lingering', kind), ticket)
    push_last(kind, ticket)
  end
end

local function journal(kind, outcome, request, answer, at, flags, bodies)
  if #bodies == 0 then return end
  local entry = {'k', kind, 'o', outcome, 'r', request, 'w', answer, 't', at, 'd', flags}
  for _, body in ipairs(bodies) do entry[#entry + 1] = 'b' entry[#entry + 1] = body end
  call('XADD', base .. 'journal', '*', unpack(entry))
end
"""

KINDS = "local KINDS = {" + ", ".join(f"'{kind.value}'" for kind in LogKind) + "}\n"

FIXED = (
    KINDS
    + """
-- What must exist: name, or name and kind, and the type of each.
local BASES = {
  spool = 'hash', room = 'hash', leases = 'zset', workers = 'zset', appends = 'hash', checkpoints = 'hash',
  sequence = 'string', journal = 'stream', aside = 'stream',
}
local PER_KIND = {
  counts = 'hash', load = 'hash', bytes = 'hash', oldest = 'zset', ready = 'list', lingering = 'zset', resting = 'zset',
  away = 'hash', attempts = 'hash', doubted = 'set',
}
local fixed, types = {}, {}
for name, kept in pairs(BASES) do fixed[#fixed + 1], types[#types + 1] = name, kept end
for name, kept in pairs(PER_KIND) do
  for _, kind in ipairs(KINDS) do fixed[#fixed + 1], types[#types + 1] = name .. ':' .. kind, kept end
end
local fixed_keys = {}
for i, name in ipairs(fixed) do fixed_keys[i] = base .. name end
local existing = call('EXISTS', unpack(fixed_keys))
"""
)

CHECKS = """
if existing == 0 then return {'gone'} end
if existing < #fixed then return {'damaged'} end
if ARGV[2] ~= '' and known[1] ~= ARGV[2] then return {'gone'} end
"""

INTACT = FIXED + CHECKS
"""What a step of a worker begins with."""

SETTLING = """
local UNKNOWN = 'nobody knows whether the service has it'
local function lease_key(token) return base .. 'lease:' .. token end
local function found(kind, ticket, id) return call('XRANGE', stream_of(kind, ticket), id, id)[1] end
local function entry_of(kind, ticket, id) return found(kind, ticket, id)[2] end
local function flag(kind, id) return call('SISMEMBER', of('doubted', kind), id) == 1 and '1' or '0' end

local function look_into(kind, ticket, ids)
  local flags, bodies = {}, {}
  for i, id in ipairs(ids) do flags[i], bodies[i] = flag(kind, id), entry_of(kind, ticket, id)[2] end
  return table.concat(flags), bodies
end

-- The records leave the lease; returns their bytes.
local function unlease(token, ids)
  local bytes = 0
  for _, id in ipairs(ids) do
    bytes = bytes + number(lease_key(token), '#' .. id)
    call('HDEL', lease_key(token), '#' .. id)
  end
  call('HINCRBY', lease_key(token), 'left', -#ids)
  return bytes
end

-- Plays have found their end: those up to a watermark are no longer left.
local function pass(kind, ids)
  local marks = call('HGETALL', of('watermarks', kind))
  for i = 1, #marks, 2 do
    local last, passed = tonumber(string.match(marks[i], '^%d+')), 0
    for _, id in ipairs(ids) do
      if tonumber(string.match(id, '^%d+')) <= last then passed = passed + 1 end
    end
    if passed > 0 then call('HINCRBY', of('watermarks', kind), marks[i], -passed) end
  end
end

local function let_go(kind, ticket, ids)
  pass(kind, ids)
  call('XACK', stream_of(kind, ticket), 'g', unpack(ids))
  call('XDEL', stream_of(kind, ticket), unpack(ids))
  call('SREM', of('doubted', kind), unpack(ids))
end

local function doubt(kind, ticket, ids, request)
  local new = 0
  for _, id in ipairs(ids) do new = new + call('SADD', of('doubted', kind), id) end
  count(kind, 'in_doubt', new)
  local flags, bodies = look_into(kind, ticket, ids)
  journal(kind, 'in-doubt', request, '', stamp, flags, bodies)
end

local function give_back(token, kind, ticket, ids, delay, blame)
  if #ids == 0 then return end
  load(kind, ticket, #ids, unlease(token, ids))
  local first = ids[1]
  for _, id in ipairs(ids) do
    if tonumber(string.match(id, '%d+')) < tonumber(string.match(first, '%d+')) then first = id end
  end
  call('ZADD', of('oldest', kind), 'LT', entry_of(kind, ticket, first)[6], ticket)
  count(kind, 'in_flight', -#ids)
  count(kind, 'waiting', #ids)
  local lease = lease_key(token)
  call('HINCRBY', lease, 'returned', #ids)
  if delay > number(lease, 'delay') then call('HSET', lease, 'delay', delay) end
  if blame then call('HSET', lease, 'blame', 1) end
end

local function set_aside(kind, ticket, id, place, reason, code, at)
  local entry = entry_of(kind, ticket, id)
  call('XADD', base .. 'aside', '*', 'k', kind, 'l', place, 'q', queue_of(kind, ticket), 'p', entry[4], 'b', entry[2],
    'w', reason, 'c', code, 't', at, 'd', flag(kind, id))
end

local function hold(token, kind, ticket, ids)
  if #ids == 0 then return end
  for _, id in ipairs(ids) do
    set_aside(kind, ticket, id, 'held', UNKNOWN, '', stamp)
  end
  unlease(token, ids)
  let_go(kind, ticket, ids)
  count(kind, 'in_flight', -#ids)
  count(kind, 'held', #ids)
end

-- End a lease whose records are all settled. What it was is remembered for a while, for answers that got lost.
local function close(token, kind, ticket)
  local lease = lease_key(token)
  local delay, returned, step = number(lease, 'delay'), number(lease, 'returned'), number(lease, 'step')
  call('HDEL', of('away', kind), ticket)
  call('ZREM', base .. 'leases', token)
  if number(lease, 'blame') == 1 then call('HINCRBY', of('attempts', kind), ticket, 1) end
  if number(of('load', kind), ticket) == 0 then
    call('HDEL', of('attempts', kind), ticket)
    if is(ticket, 'b') then
      redis.pcall('XGROUP', 'DELCONSUMER', stream_of(kind, ticket), 'g', ticket) -- the stream may be lost
    else
      call('DEL', stream_of(kind, ticket))
    end
  elseif delay > 0 then
    call('ZADD', of('resting', kind), now + delay, ticket)
  elseif returned > 0 then
    call('LPUSH', of('ready', kind), ticket)
  else
    file(kind, ticket)
  end
  call('DEL', lease)
  call('HSET', lease, 'step', step)
  call('EXPIRE', lease, 600)
end
"""

ABANDONING = """
-- What a crash does: what was being sent is in doubt, the rest goes back. Answers with the kind, how many plays, how
-- many in doubt, and how many are lost because their stream is.
local function abandon(token, fate)
  local lease = lease_key(token)
  local kind, ticket = call('HGET', lease, 'kind'), call('HGET', lease, 'ticket')
  if not ticket then call('ZREM', base .. 'leases', token) return nil end
  local sent, doubtful, certain = {}, {}, {}
  for id in string.gmatch(call('HGET', lease, 'sending') or '', '[^,]+') do sent[id] = true end
  local fields = call('HKEYS', lease)
  for _, field in ipairs(fields) do
    if string.sub(field, 1, 1) == '#' then
      local id = string.sub(field, 2)
      table.insert(sent[id] and doubtful or certain, id)
    end
  end
  local first = doubtful[1] or certain[1]
  if first and not found(kind, ticket, first) then
    local gone, others = detach(token, kind, ticket)
    return kind, 0, 0, gone + others
  end
  local request = call('HGET', lease, 'request') or ''
  doubt(kind, ticket, doubtful, request)
  if fate == 'hold' then
    hold(token, kind, ticket, doubtful)
  else
    give_back(token, kind, ticket, doubtful, 0, true)
  end
  local suspect = number(lease, 'suspect') == 1
  if suspect then doubt(kind, ticket, certain, request) end
  give_back(token, kind, ticket, certain, 0, suspect)
  close(token, kind, ticket)
  return kind, #doubtful + #certain, suspect and #doubtful + #certain or #doubtful, 0
end
"""
