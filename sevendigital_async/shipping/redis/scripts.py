"""The steps of the spool, each one script: what it changes, it changes at once, counters included.

Every script hears first how much later than Redis's clock to think it is (ms, for tests), and the id of the spool that
its caller believes in: if Redis has lost that spool, the answer is ``gone`` and nothing changes.
"""

from __future__ import annotations

from ...redis_link import RedisScript
from .queues_lua import PRELUDE, SETTLING
from .withdrawal_lua import WITHDRAWAL

ALWAYS = "#!lua flags=allow-oom\n"
"""A Redis that is full must still be able to let go of what was delivered."""

IF_THERE_IS_MEMORY = "#!lua\n"


def _script(text: str, when: str = ALWAYS) -> RedisScript:
    return RedisScript(when + PRELUDE + text)


def _settling(text: str) -> RedisScript:
    return RedisScript(ALWAYS + PRELUDE + SETTLING + text)


FOUND = _script("""
-- ARGV: the id of a new spool, its form, then its rules as field and value. Answers with the id and form that hold.
call('HSETNX', base .. 'spool', 'id', ARGV[3])
call('HSETNX', base .. 'spool', 'form', ARGV[4])
local form = call('HGET', base .. 'spool', 'form')
if form == ARGV[4] then
  for i = 5, #ARGV, 2 do call('HSET', base .. 'spool', ARGV[i], ARGV[i + 1]) end
end
return {call('HGET', base .. 'spool', 'id'), form}
""")

APPEND = _script(
    """
-- ARGV: worker, step, most logs, most bytes, then groups:
-- kind, source, position, the one before with '=' or nothing, number, (queue, played, doubt, body)*
-- Accepts groups in order until one does not fit, or does not follow the position that is kept. Answers with how many
-- were accepted, whether one did not follow, the number of the first play, and, for each accepted group with a source,
-- the position that was replaced: '=' and the position, or nothing. A repeated step is not taken twice.
local worker, step = ARGV[3], tonumber(ARGV[4])
local done = call('HGET', base .. 'appends', worker)
if done then
  local last, accepted, strays, first = string.match(done, '(%d+):(%d+):?(%d*):?(%d*)')
  if tonumber(last) >= step then
    local answer, replaced = ok(), call('HGET', base .. 'appends', worker .. ':answer')
    answer[4], answer[5], answer[6] = tonumber(accepted), tonumber(strays) or 0, tonumber(first) or 0
    answer[7] = replaced and cjson.decode(replaced) or {}
    return answer
  end
end
local first_number, replaced = tonumber(call('GET', base .. 'sequence') or 0) + 1, {}
local logs, bytes = number(base .. 'room', 'logs'), number(base .. 'room', 'bytes')
local i, accepted, strays = 7, 0, 0
while i <= #ARGV do
  local kind, source, position, before, n = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], tonumber(ARGV[i + 4])
  local kept = before ~= '' and call('HGET', base .. 'bookmarks', source)
  if kept and '=' .. kept ~= before then strays = 1 break end
  local first, size = i + 5, 0
  i = first + 4 * n
  for at = first, i - 1, 4 do size = size + #ARGV[at + 3] end
  if logs + n > tonumber(ARGV[5]) or bytes + size > tonumber(ARGV[6]) then break end
  for at = first, i - 1, 4 do append(kind, ARGV[at], ARGV[at + 3], ARGV[at + 1], ARGV[at + 2] == '1') end
  if source ~= '' then
    local old = call('HGET', base .. 'bookmarks', source)
    replaced[#replaced + 1] = old and '=' .. old or ''
    call('HSET', base .. 'bookmarks', source, position)
  end
  count(kind, 'put', n)
  count(kind, 'waiting', n)
  logs, bytes = take_room(n, size)
  accepted = accepted + 1
end
call('HSET', base .. 'appends', worker, string.format('%d:%d:%d:%.0f', step, accepted, strays, first_number))
if replaced[1] then call('HSET', base .. 'appends', worker .. ':answer', cjson.encode(replaced)) end
return {'ok', logs, bytes, accepted, strays, first_number, replaced}
""",
    IF_THERE_IS_MEMORY,
)

WITHDRAW = _settling(WITHDRAWAL)

DUE_IN = _script("""
-- ARGV: kind, flush. Answers with milliseconds; -1 when nothing waits.
local kind = ARGV[3]
advance(kind, ARGV[4] == '1')
if call('LLEN', of('ready', kind)) > 0 then return {'ok', 0} end
local due = -1
for _, name in ipairs({'lingering', 'resting'}) do
  local first = call('ZRANGE', of(name, kind), 0, 0, 'WITHSCORES')
  if first[1] then
    local wait = math.max(1, tonumber(first[2]) - now)
    due = due < 0 and wait or math.min(due, wait)
  end
end
return {'ok', due}
""")

LEASE = _script("""
-- ARGV: kind, flush, token, most logs, most bytes, milliseconds to live. Answers with queue, attempt and records.
local kind, token, most, bytes = ARGV[3], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
if call('EXISTS', base .. 'lease:' .. token) == 1 then return {'none'} end
advance(kind, ARGV[4] == '1')
local ticket = call('LPOP', of('ready', kind))
if not ticket then return {'none'} end
local stream, entries = stream_of(kind, ticket), nil
if ticket == 's' then
  entries = call('XRANGE', stream, '(' .. last_read(stream), '+', 'COUNT', most)
else
  local reader = consumer_of(ticket)
  entries = call('XREADGROUP', 'GROUP', 'g', reader, 'COUNT', most, 'STREAMS', stream, '0')[1][2]
  if #entries < most and not is(ticket, 'b') then
    local new = call('XREADGROUP', 'GROUP', 'g', reader, 'COUNT', most - #entries, 'STREAMS', stream, '>')
    for _, entry in ipairs(new and new[1][2] or {}) do entries[#entries + 1] = entry end
  end
end
local size, n = 0, 0
for _, entry in ipairs(entries) do
  if n > 0 and size + #entry[2][2] > bytes then break end
  size, n = size + #entry[2][2], n + 1
end
local queue, attempt = queue_of(kind, ticket), number(of('attempts', kind), ticket)
local left = load(kind, ticket, -n, -size)
if ticket == 's' then
  local batch = string.format('b:%.0f', call('INCR', base .. 'batches'))
  call('XREADGROUP', 'GROUP', 'g', batch, 'COUNT', n, 'STREAMS', stream, '>')
  if left > 0 then file(kind, 's') end
  if left > 0 then call('ZADD', of('oldest', kind), put_at(kind, 's'), 's') end
  ticket = batch
elseif left > 0 then
  local next_one = entries[n + 1] or call('XRANGE', stream, '(' .. last_read(stream), '+', 'COUNT', 1)[1]
  call('ZADD', of('oldest', kind), next_one[2][6], ticket)
end
call('HSET', of('away', kind), ticket, token)
local lease, answer = {'kind', kind, 'ticket', ticket, 'left', n, 'step', 0}, {'lease', queue, attempt}
for i = 1, n do
  local id, fields = entries[i][1], entries[i][2]
  lease[#lease + 1] = '#' .. id
  lease[#lease + 1] = #fields[2]
  answer[#answer + 1] = id
  answer[#answer + 1] = fields[2]
  answer[#answer + 1] = fields[4]
  answer[#answer + 1] = call('SISMEMBER', of('doubted', kind), id)
end
call('HSET', base .. 'lease:' .. token, unpack(lease))
call('ZADD', base .. 'leases', now + tonumber(ARGV[8]), token)
count(kind, 'waiting', -n)
count(kind, 'in_flight', n)
return answer
""")

INTENT = _script("""
-- ARGV: token, step, milliseconds to live, request, suspect, ids with commas.
-- If plays were taken out of the lease, nothing of it may be sent: its holder must let go of it first.
local lease = base .. 'lease:' .. ARGV[3]
if call('HEXISTS', lease, 'withdrawn') == 1 then return {'withdrawn'} end
if call('HEXISTS', lease, 'ticket') == 0 then return {'lost'} end
if number(lease, 'step') < tonumber(ARGV[4]) then
  call('HSET', lease, 'step', ARGV[4], 'request', ARGV[6], 'sending', ARGV[8])
  if ARGV[7] == '1' then call('HSET', lease, 'suspect', 1) end
end
call('ZADD', base .. 'leases', now + tonumber(ARGV[5]), ARGV[3])
return {'ok'}
""")

SETTLE = _settling("""
-- ARGV: token, step, how, delay, blame, request, answer, at, number, ids, then for "bury" reason and code of each.
local token, step, how, n = ARGV[3], tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[11])
local lease = lease_key(token)
if step <= number(lease, 'step') then return ok() end
local kind, ticket = call('HGET', lease, 'kind'), call('HGET', lease, 'ticket')
if not ticket then return {'lost'} end
call('HSET', lease, 'step', step)
local ids, words, changed = {}, {}, call('HEXISTS', lease, 'withdrawn') == 1
for i = 1, n do
  if not changed or call('HEXISTS', lease, '#' .. ARGV[11 + i]) == 1 then
    ids[#ids + 1], words[#words + 1] = ARGV[11 + i], 10 + n + 2 * i
  end
end
n = #ids
if n == 0 then return ok() end
local request = ARGV[8] ~= '' and ARGV[8] or call('HGET', lease, 'request') or ''
if how == 'keep' or how == 'resend' or how == 'hold' then doubt(kind, ticket, ids, request) end
if how == 'ack' then
  local flags, bodies = look_into(kind, ticket, ids)
  journal(kind, 'delivered', request, ARGV[9], ARGV[10], flags, bodies)
  take_room(-n, -unlease(token, ids))
  let_go(kind, ticket, ids)
  count(kind, 'in_flight', -n)
  count(kind, 'delivered', n)
  call('HDEL', of('attempts', kind), ticket)
elseif how == 'bury' then
  for i, id in ipairs(ids) do
    set_aside(kind, ticket, id, 'buried', ARGV[words[i]], ARGV[words[i] + 1], ARGV[10])
  end
  unlease(token, ids)
  let_go(kind, ticket, ids)
  count(kind, 'in_flight', -n)
  count(kind, 'buried', n)
elseif how == 'hold' then
  hold(token, kind, ticket, ids)
elseif how ~= 'keep' then
  give_back(token, kind, ticket, ids, tonumber(ARGV[6]), ARGV[7] == '1')
end
if number(lease, 'left') == 0 then close(token, kind, ticket) end
return ok()
""")

ABANDON = _settling("""
-- ARGV: fate, tokens.
for i = 4, #ARGV do abandon(ARGV[i], ARGV[3]) end
return ok()
""")

ADOPT = _settling("""
-- ARGV: token, kind, queue, step, being sent, suspect, request, milliseconds to live, (played, doubt, body)*
-- After a flush: what a worker holds in its hands becomes a lease again. Answers with the number of the first record.
local token, kind, lease = ARGV[3], ARGV[4], lease_key(ARGV[3])
if call('EXISTS', lease) == 1 then return {'ok', number(lease, 'first')} end
local ticket, ids, bytes = 'a:' .. token, {}, 0
call('HSET', of('adopted', kind), ticket, ARGV[5])
for i = 11, #ARGV, 3 do
  local id = add(kind, ticket, ARGV[i + 2], ARGV[i], ARGV[i + 1] == '1')
  ids[#ids + 1] = id
  bytes = bytes + #ARGV[i + 2]
  count(kind, 'in_doubt', tonumber(ARGV[i + 1]))
  call('HSET', lease, '#' .. id, #ARGV[i + 2])
end
call('XREADGROUP', 'GROUP', 'g', 'q', 'STREAMS', stream_of(kind, ticket), '>')
local first = string.match(ids[1], '%d+')
call('HSET', lease, 'kind', kind, 'ticket', ticket, 'left', #ids, 'step', ARGV[6], 'first', first, 'request', ARGV[9],
  'suspect', ARGV[8], 'sending', ARGV[7] == '1' and table.concat(ids, ',') or '')
call('HSET', of('away', kind), ticket, token)
call('ZADD', base .. 'leases', now + tonumber(ARGV[10]), token)
take_room(#ids, bytes)
count(kind, 'put', #ids)
count(kind, 'in_flight', #ids)
return {'ok', tonumber(first)}
""")

LATE = _script("""
-- ARGV: kind, request, answer, at, (doubt, body)*. The answer to a request whose lease had been taken over.
local flags, bodies = {}, {}
for i = 7, #ARGV, 2 do flags[#flags + 1] = ARGV[i] bodies[#bodies + 1] = ARGV[i + 1] end
journal(ARGV[3], 'in-doubt', ARGV[4], ARGV[5], ARGV[6], table.concat(flags), bodies)
return ok()
""")

TICK = _settling("""
-- ARGV: worker, milliseconds to live, take over, fate, oldest journal, number of orphans, orphans, leases to prolong.
local live, orphans = now + tonumber(ARGV[4]), tonumber(ARGV[8])
call('ZADD', base .. 'workers', now, ARGV[3])
for i = 9, #ARGV do
  if i < 9 + orphans then
    abandon(ARGV[i], ARGV[6])
  elseif call('HEXISTS', lease_key(ARGV[i]), 'ticket') == 1 then
    call('ZADD', base .. 'leases', live, ARGV[i])
  end
end
local taken = {}
if ARGV[5] == '1' then
  for _, token in ipairs(call('ZRANGEBYSCORE', base .. 'leases', '-inf', now, 'LIMIT', 0, 20)) do
    local kind, logs, doubtful = abandon(token, ARGV[6])
    if kind then
      taken[#taken + 1] = kind
      taken[#taken + 1] = logs
      taken[#taken + 1] = doubtful
    end
  end
end
call('XTRIM', base .. 'journal', 'MINID', '~', string.format('%.0f', math.max(0, now - tonumber(ARGV[7]))))
for _, gone in ipairs(call('ZRANGEBYSCORE', base .. 'workers', '-inf', now - 30 * 86400000, 'LIMIT', 0, 20)) do
  call('ZREM', base .. 'workers', gone)
  call('HDEL', base .. 'appends', gone, gone .. ':answer')
end
return {'ok', number(base .. 'room', 'logs'), number(base .. 'room', 'bytes'), taken}
""")

LEAVE = _script("""
-- ARGV: worker.
call('ZREM', base .. 'workers', ARGV[3])
call('HDEL', base .. 'appends', ARGV[3], ARGV[3] .. ':answer')
return {'ok'}
""")

COUNTS = _script("""
-- ARGV: kind, then the names of places.
return {'ok', call('HMGET', of('counts', ARGV[3]), unpack(ARGV, 4))}
""")

READ = _script("""
-- ARGV: journal or aside, from where, how many.
return {'ok', call('XRANGE', base .. ARGV[3], ARGV[4], '+', 'COUNT', ARGV[5])}
""")

REPLAY = _script("""
-- ARGV: ids. Let plays wait again; answers with how many were there.
local done = 0
for i = 3, #ARGV do
  local entry = call('XRANGE', base .. 'aside', ARGV[i], ARGV[i])[1]
  if entry then
    local f = entry[2]
    call('XDEL', base .. 'aside', ARGV[i])
    append(f[2], f[6], f[10], f[8], f[18] == '1')
    count(f[2], f[4], -1)
    count(f[2], 'waiting', 1)
    done = done + 1
  end
end
return {'ok', done}
""")

DROP = _script("""
-- ARGV: ids. Let go of plays; they stay counted as buried.
local done = 0
for i = 3, #ARGV do
  local entry = call('XRANGE', base .. 'aside', ARGV[i], ARGV[i])[1]
  if entry then
    local f = entry[2]
    call('XDEL', base .. 'aside', ARGV[i])
    journal(f[2], 'dropped', '', f[12], stamp, f[18], {f[10]})
    count(f[2], f[4], -1)
    count(f[2], 'buried', 1)
    take_room(-1, -#f[10])
    done = done + 1
  end
end
return {'ok', done}
""")

OLDEST_AGE = _script("""
-- ARGV: kind. Answers with the milliseconds that the oldest waiting play has been here; -1 when nothing waits.
local first = call('ZRANGE', of('oldest', ARGV[3]), 0, 0, 'WITHSCORES')
return {'ok', first[1] and math.max(0, now - tonumber(first[2])) or -1}
""")

STATUS = _script("""
-- ARGV: milliseconds that a worker may be silent, kinds. Answers with workers, bytes, and when each kind's oldest came.
local oldest = {}
for i = 4, #ARGV do
  local first = call('ZRANGE', of('oldest', ARGV[i]), 0, 0, 'WITHSCORES')
  oldest[#oldest + 1] = first[1] and tonumber(first[2]) or -1
end
local workers = call('ZCOUNT', base .. 'workers', now - tonumber(ARGV[3]), '+inf')
return {'ok', workers, number(base .. 'room', 'bytes'), oldest}
""")
