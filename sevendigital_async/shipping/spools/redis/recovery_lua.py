"""The Lua half of what a spool does when something has deleted or evicted its keys: it counts again what is there.

The streams of the queues hold the plays; all else about a ticket can be found out from them and from the leases.
"""

from __future__ import annotations

COUNTING = """
local PAGE = 500
-- All entries of a stream from an id on.
local function each(stream, from, visit)
  while true do
    local page = call('XRANGE', stream, from, '+', 'COUNT', PAGE)
    for _, entry in ipairs(page) do visit(entry[1], entry[2]) end
    if #page < PAGE then return end
    from = '(' .. page[#page][1]
  end
end

local function pending(kind, ticket)
  local stream, ids, from = stream_of(kind, ticket), {}, '-'
  if call('EXISTS', stream) == 0 or ticket == 's' then return ids end
  while true do
    local page = call('XPENDING', stream, 'g', from, '+', PAGE, consumer_of(ticket))
    for _, entry in ipairs(page) do ids[#ids + 1] = entry[1] end
    if #page < PAGE then return ids end
    from = '(' .. ids[#ids]
  end
end

local function leased(kind, ticket)
  local token, ids = call('HGET', of('away', kind), ticket), {}
  for _, field in ipairs(token and call('HKEYS', lease_key(token)) or {}) do
    if string.sub(field, 1, 1) == '#' then ids[string.sub(field, 2)] = true end
  end
  return ids
end

-- What of a ticket is there and not leased: number, bytes, and when the first of it was put.
local function measure(kind, ticket)
  local stream, away, logs, bytes, since = stream_of(kind, ticket), leased(kind, ticket), 0, 0, nil
  local function take(id, fields)
    if away[id] then return end
    logs, bytes, since = logs + 1, bytes + #fields[2], since or fields[6]
  end
  if is(ticket, 'b') then
    for _, id in ipairs(pending(kind, ticket)) do
      local entry = found(kind, ticket, id)
      if entry then take(id, entry[2]) end
    end
  elseif call('EXISTS', stream) == 1 then
    each(stream, ticket == 's' and '(' .. last_read(stream) or '-', take)
  end
  return logs, bytes, since
end

local function is_placed(kind, ticket)
  return call('ZSCORE', of('lingering', kind), ticket) or call('ZSCORE', of('resting', kind), ticket)
    or call('LPOS', of('ready', kind), ticket)
end

-- Make what is known of a ticket true again; returns by how many plays and bytes it differed.
local function reload(kind, ticket, placed)
  local logs, bytes, since = measure(kind, ticket)
  local more, more_bytes = logs - number(of('load', kind), ticket), bytes - number(of('bytes', kind), ticket)
  local away = call('HEXISTS', of('away', kind), ticket) == 1
  if logs > 0 then
    call('HSET', of('load', kind), ticket, logs)
    call('HSET', of('bytes', kind), ticket, bytes)
    call('ZADD', of('oldest', kind), since, ticket)
    if placed == nil then placed = is_placed(kind, ticket) end
    if not away and not placed then file(kind, ticket) end
  else
    call('HDEL', of('load', kind), ticket)
    call('HDEL', of('bytes', kind), ticket)
    call('ZREM', of('oldest', kind), ticket)
    if not away then
      call('LREM', of('ready', kind), 0, ticket)
      call('ZREM', of('lingering', kind), ticket)
      call('ZREM', of('resting', kind), ticket)
      call('HDEL', of('attempts', kind), ticket)
      if is(ticket, 'u') or is(ticket, 'a') then call('DEL', stream_of(kind, ticket)) end
    end
  end
  return more, more_bytes
end

-- A stream has lost plays: they are not there any more, so they are not counted any more. Returns how many.
local function recount(kind, ticket)
  local more, bytes = reload(kind, ticket)
  count(kind, 'waiting', more)
  count(kind, 'put', more)
  take_room(more, bytes)
  return -more
end

-- The stream that a lease was taken from is lost: forget the lease. Returns how many plays of it there were.
local function detach(token, kind, ticket)
  local lease, bytes = lease_key(token), 0
  local left = number(lease, 'left')
  for id in pairs(leased(kind, ticket)) do bytes = bytes + number(lease, '#' .. id) end
  call('DEL', lease)
  call('ZREM', base .. 'leases', token)
  call('HDEL', of('away', kind), ticket)
  count(kind, 'in_flight', -left)
  count(kind, 'put', -left)
  take_room(-left, -bytes)
  return left, recount(kind, ticket)
end

-- A lease is lost: nobody knows which of its plays were being sent. Returns how many may have been.
local function reclaim(kind, ticket, fate)
  local ids = pending(kind, ticket)
  call('HDEL', of('away', kind), ticket)
  for first = 1, #ids, PAGE do
    local some = {unpack(ids, first, math.min(first + PAGE - 1, #ids))}
    doubt(kind, ticket, some, '')
    if fate == 'hold' then
      for _, id in ipairs(some) do set_aside(kind, ticket, id, 'held', UNKNOWN, '', stamp) end
      let_go(kind, ticket, some)
      count(kind, 'held', #some)
    end
  end
  return #ids
end
"""

AUDIT = """
-- Leases that are lost, and a part of the queues, a part further on each time. What is lost is added to the answer.
local function audit(kind, fate)
  local lost, doubtful, in_flight, broken = 0, 0, 0, {}
  local away = call('HGETALL', of('away', kind))
  for i = 1, #away, 2 do
    if away[i] ~= '' then
      local lease = lease_key(away[i + 1])
      if call('HEXISTS', lease, 'ticket') == 1 then
        in_flight = in_flight + number(lease, 'left')
        if not call('ZSCORE', base .. 'leases', away[i + 1]) then call('ZADD', base .. 'leases', now, away[i + 1]) end
      else
        broken[#broken + 1] = away[i]
        call('ZREM', base .. 'leases', away[i + 1])
      end
    end
  end
  if #broken > 0 then
    local gone = number(of('counts', kind), 'in_flight') - in_flight
    for _, ticket in ipairs(broken) do
      local unsure = reclaim(kind, ticket, fate)
      local more = reload(kind, ticket)
      doubtful = doubtful + unsure
      gone = gone - more - (fate == 'hold' and unsure or 0)
      count(kind, 'waiting', more)
    end
    call('HSET', of('counts', kind), 'in_flight', in_flight)
    -- Of a lease whose stream is lost, too, nothing has come back.
    count(kind, 'put', -gone)
    take_room(-gone, 0)
    lost = gone
  end
  local page = call('HSCAN', of('load', kind), call('HGET', base .. 'room', 'cursor:' .. kind) or '0', 'COUNT', 50)
  call('HSET', base .. 'room', 'cursor:' .. kind, page[1])
  for i = 1, #page[2], 2 do
    local ticket, load = page[2][i], tonumber(page[2][i + 1])
    local stream, token, whole = stream_of(kind, ticket), call('HGET', of('away', kind), ticket), true
    if call('EXISTS', stream) == 0 then
      whole = load == 0
    elseif ticket == 's' then
      whole = #call('XRANGE', stream, '(' .. last_read(stream), '+', 'COUNT', 1) == 1
    elseif is(ticket, 'b') then
      whole = token or #call('XPENDING', stream, 'g', '-', '+', load + 1, ticket) == load
    elseif ticket ~= '' then
      whole = call('XLEN', stream) == load + (token and number(lease_key(token), 'left') or 0)
    end
    if not whole then lost = lost + recount(kind, ticket) end
  end
  return lost, doubtful
end
"""

FOUNDING = """
-- What the scripts rely on is of another type: somebody else uses these names.
for i, key in ipairs(fixed_keys) do
  local kept = call('TYPE', key).ok
  if kept ~= 'none' and kept ~= types[i] then return {'strange', key, kept, types[i]} end
end

local missing, is_missing = {}, {}
for i, name in ipairs(fixed) do
  local key, kept = fixed_keys[i], types[i]
  if call('EXISTS', key) == 0 then
    missing[#missing + 1], is_missing[name] = name, true
    if kept == 'hash' then call('HSET', key, '', 0) end
    if kept == 'set' then call('SADD', key, '') end
    if kept == 'zset' then call('ZADD', key, '+inf', '') end
    if kept == 'list' then call('RPUSH', key, '') end
    if kept == 'string' then call('SET', key, 0) end
    if kept == 'stream' then call('XGROUP', 'CREATE', key, 'g', '0', 'MKSTREAM') end
  end
end

-- The spool's name and form are kept twice, for they can't be found out.
local spool, room = base .. 'spool', base .. 'room'
local function kept(field, fallback)
  return call('HGET', spool, field) or call('HGET', room, field) or fallback
end
local id = kept('id', existing > 0 and ARGV[5] ~= '' and ARGV[5] or ARGV[3])
local form, behind = kept('form', ARGV[4]), kept('behind', false)
for _, key in ipairs({spool, room}) do
  call('HSET', key, 'id', id, 'form', form)
  if behind then call('HSET', key, 'behind', behind) end
end
if form == ARGV[4] then
  for i = 8, #ARGV, 2 do call('HSET', spool, ARGV[i], ARGV[i + 1]) end
end
local lost, doubtful = {0, 0, 0}, 0
if existing == 0 or #missing == 0 then return {'ok', id, form, {}, lost, 0} end

-- What is there: streams of queues, and leases.
local tickets, tokens, cursor = {}, {}, '0'
for _, kind in ipairs(KINDS) do tickets[kind] = {} end
local pattern = string.gsub(base, '[%*%?%[%]%^\\\\]', '\\\\%0') .. '*'
repeat
  local page = call('SCAN', cursor, 'MATCH', pattern, 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    local rest = string.sub(key, #base + 1)
    local kind, ticket = string.match(rest, '^queue:(%a+):(.*)$')
    if kind and tickets[kind] then tickets[kind][ticket] = true end
    local token = string.match(rest, '^lease:(.*)$')
    if token and call('HEXISTS', key, 'ticket') == 1 then tokens[token] = true end
  end
until cursor == '0'

-- Numbers of records must not come twice.
if is_missing.sequence then
  local highest = 0
  local function see(id) highest = math.max(highest, tonumber(string.match(id, '%d+')) or 0) end
  for _, kind in ipairs(KINDS) do
    for ticket in pairs(tickets[kind]) do
      local info = call('XINFO', 'STREAM', stream_of(kind, ticket))
      for i = 1, #info, 2 do if info[i] == 'last-generated-id' then see(info[i + 1]) end end
    end
    for _, id in ipairs(call('SMEMBERS', of('doubted', kind))) do see(id) end
  end
  for token in pairs(tokens) do
    for _, field in ipairs(call('HKEYS', lease_key(token))) do
      if string.sub(field, 1, 1) == '#' then see(string.sub(field, 2)) end
    end
  end
  call('SET', base .. 'sequence', string.format('%.0f', highest + 1000))
end

-- Leases, by ticket and by time. Who holds one gives a sign of life before its time is up.
local was_away, in_flight, leased_bytes = {}, {}, 0
for _, kind in ipairs(KINDS) do
  was_away[kind], in_flight[kind] = {}, 0
  local away = call('HGETALL', of('away', kind))
  for i = 1, #away, 2 do
    if away[i] ~= '' and not tokens[away[i + 1]] then
      was_away[kind][away[i]] = true
      call('HDEL', of('away', kind), away[i])
    end
  end
end
for _, token in ipairs(call('ZRANGE', base .. 'leases', 0, -1)) do
  if token ~= '' and not tokens[token] then call('ZREM', base .. 'leases', token) end
end
for token in pairs(tokens) do
  local lease = lease_key(token)
  local kind, ticket = call('HGET', lease, 'kind'), call('HGET', lease, 'ticket')
  call('ZADD', base .. 'leases', 'NX', now + tonumber(ARGV[6]), token)
  call('HSET', of('away', kind), ticket, token)
  in_flight[kind] = in_flight[kind] + number(lease, 'left')
  for id in pairs(leased(kind, ticket)) do leased_bytes = leased_bytes + number(lease, '#' .. id) end
end

-- Queues.
local logs, bytes, waiting = 0, leased_bytes, {}
for _, kind in ipairs(KINDS) do
  local placed = {}
  for _, name in ipairs({'lingering', 'resting'}) do
    for _, ticket in ipairs(call('ZRANGE', of(name, kind), 0, -1)) do placed[ticket] = true end
  end
  for _, ticket in ipairs(call('LRANGE', of('ready', kind), 0, -1)) do placed[ticket] = true end
  local known_tickets = tickets[kind]
  if known_tickets.s then
    for _, info in ipairs(call('XINFO', 'CONSUMERS', stream_of(kind, 's'), 'g')) do
      for i = 1, #info, 2 do if info[i] == 'name' then known_tickets[info[i + 1]] = true end end
    end
  end
  for _, ticket in ipairs(call('HKEYS', of('load', kind))) do known_tickets[ticket] = true end
  for ticket in pairs(placed) do known_tickets[ticket] = true end
  known_tickets[''] = nil
  known_tickets.q = nil
  waiting[kind] = 0
  for ticket in pairs(known_tickets) do
    local unleased = call('HEXISTS', of('away', kind), ticket) == 0
    if unleased and (was_away[kind][ticket] or (is_missing['away:' .. kind] and not placed[ticket])) then
      doubtful = doubtful + reclaim(kind, ticket, ARGV[7])
    end
    reload(kind, ticket, placed[ticket] or false)
    waiting[kind] = waiting[kind] + number(of('load', kind), ticket)
    bytes = bytes + number(of('bytes', kind), ticket)
  end
end

-- Dead letters.
local aside, aside_logs, aside_bytes = {}, 0, 0
for _, kind in ipairs(KINDS) do aside[kind] = {held = 0, buried = 0} end
each(base .. 'aside', '-', function(_, fields)
  local of_kind = aside[fields[2]]
  of_kind[fields[4]] = of_kind[fields[4]] + 1
  aside_logs, aside_bytes = aside_logs + 1, aside_bytes + #fields[10]
end)

-- Counts.
for at, kind in ipairs(KINDS) do
  local counts = of('counts', kind)
  call('HSET', counts, 'waiting', waiting[kind], 'in_flight', in_flight[kind], 'held', aside[kind].held)
  if is_missing['counts:' .. kind] then
    local delivered, buried = 0, aside[kind].buried
    each(base .. 'journal', '-', function(_, fields)
      if fields[2] == kind and fields[4] == 'delivered' then delivered = delivered + (#fields - 12) / 2 end
      if fields[2] == kind and fields[4] == 'dropped' then buried = buried + 1 end
    end)
    call('HSET', counts, 'delivered', delivered, 'buried', buried, 'in_doubt', call('SCARD', of('doubted', kind)) - 1)
  end
  local sum = waiting[kind] + in_flight[kind] + aside[kind].held
  sum = sum + number(counts, 'delivered') + number(counts, 'buried')
  if not is_missing['counts:' .. kind] then lost[at] = number(counts, 'put') - sum end
  call('HSET', counts, 'put', sum)
  logs = logs + waiting[kind] + in_flight[kind]
end
-- Where the counts of a kind are lost, too, what all kinds together held tells how much of it is missing.
logs = logs + aside_logs
local uncounted = is_missing.room and 0 or number(room, 'logs') - logs
for _, gone in ipairs(lost) do uncounted = uncounted - gone end
for at, kind in ipairs(KINDS) do
  if is_missing['counts:' .. kind] and uncounted > 0 then lost[at], uncounted = uncounted, 0 end
end
call('HSET', room, 'logs', logs, 'bytes', bytes + aside_bytes)
return {'ok', id, form, missing, lost, doubtful}
"""
