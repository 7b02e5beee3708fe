"""The steps of the spool, each one script: what it changes, it changes at once, counters included.

Every script hears first how much later than Redis's clock to think it is (ms, for tests), and the id of the spool that
its caller believes in: if Redis has lost that spool, the answer is ``gone``, and if it has lost a key of it, the answer
is ``damaged``; nothing changes then, and ``FOUND`` has to come first.
"""

from __future__ import annotations

from ....redis_connection import RedisScript
from .queues_lua import ABANDONING, CHECKS, FIXED, INTACT, PRELUDE, SETTLING
from .recovery_lua import AUDIT, COUNTING, FOUNDING
from .withdrawal_lua import WITHDRAWAL

ALWAYS = "#!lua flags=allow-oom\n"
"""A Redis that is full must still be able to let go of what was delivered."""

IF_THERE_IS_MEMORY = "#!lua\n"


def _script(text: str, when: str = ALWAYS) -> RedisScript:
    return RedisScript(when + PRELUDE + INTACT + text)


def _reading(text: str) -> RedisScript:
    """An archive may look at what is there, whatever state it is in."""
    return RedisScript(ALWAYS + PRELUDE + FIXED + "if ARGV[2] ~= '' then " + CHECKS + "end\n" + text)


def _settling(text: str) -> RedisScript:
    return RedisScript(ALWAYS + PRELUDE + INTACT + SETTLING + COUNTING + ABANDONING + text)


FOUND = RedisScript(ALWAYS + PRELUDE + FIXED + SETTLING + COUNTING + FOUNDING)
"""ARGV: the id of a new spool, its form, the id that the caller believes in, milliseconds until a lease is taken over
whose time is lost, what becomes of plays in doubt, then its rules as field and value. Founds the spool, or rebuilds
what is missing. Answers with id and form that hold, the names of the keys that were missing, how many plays are lost by
kind, and how many are in doubt for it; or with ``strange``, the name of a key, its type, and the type it should have.
"""

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
  local kept = before ~= '' and call('HGET', base .. 'checkpoints', source)
  if kept and '=' .. kept ~= before then strays = 1 break end
  local first, size = i + 5, 0
  i = first + 4 * n
  for at = first, i - 1, 4 do size = size + #ARGV[at + 3] end
  if logs + n > tonumber(ARGV[5]) or bytes + size > tonumber(ARGV[6]) then break end
  for at = first, i - 1, 4 do append(kind, ARGV[at], ARGV[at + 3], ARGV[at + 1], ARGV[at + 2] == '1') end
  if source ~= '' then
    local old = call('HGET', base .. 'checkpoints', source)
    replaced[#replaced + 1] = old and '=' .. old or ''
    call('HSET', base .. 'checkpoints', source, position)
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
if call('LLEN', of('ready', kind)) > 1 then return {'ok', 0} end
local due = -1
for _, name in ipairs({'lingering', 'resting'}) do
  local ticket, at = first_of(of(name, kind))
  if ticket then
    local wait = math.max(1, at - now)
    due = due < 0 and wait or math.min(due, wait)
  end
end
return {'ok', due}
""")

LEASE = _settling("""
-- ARGV: kind, flush, token, most logs, most bytes, milliseconds to live. Answers with queue, attempt and records;
-- with ``lost`` and a number if the next ticket has lost plays.
local kind, token, most, bytes = ARGV[3], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
if call('EXISTS', base .. 'lease:' .. token) == 1 then return {'none'} end
advance(kind, ARGV[4] == '1')
local ticket = call('LINDEX', of('ready', kind), 0)
if ticket == '' then return {'none'} end
local stream, entries = stream_of(kind, ticket), {}
if call('EXISTS', stream) == 0 then
  return {'lost', recount(kind, ticket)}
elseif ticket == 's' then
  entries = call('XRANGE', stream, '(' .. last_read(stream), '+', 'COUNT', most)
else
  local reader = consumer_of(ticket)
  entries = call('XREADGROUP', 'GROUP', 'g', reader, 'COUNT', most, 'STREAMS', stream, '0')[1][2]
  if #entries < most and not is(ticket, 'b') then
    local new = call('XREADGROUP', 'GROUP', 'g', reader, 'COUNT', most - #entries, 'STREAMS', stream, '>')
    for _, entry in ipairs(new and new[1][2] or {}) do entries[#entries + 1] = entry end
  end
end
if #entries == 0 or (#entries < most and #entries ~= number(of('load', kind), ticket)) then
  return {'lost', recount(kind, ticket)}
end
call('LPOP', of('ready', kind))
local size, n = 0, 0
for _, entry in ipairs(entries) do
  if n > 0 and size + #entry[2][2] > bytes then break end
  size, n = size + #entry[2][2], n + 1
end
local queue, attempt = queue_of(kind, ticket), number(of('attempts', kind), ticket)
local left = load(kind, ticket, -n, -size)
if ticket == 's' then
  local batch = string.format('b:%.0f', call('INCR', base .. 'sequence'))
  call('XREADGROUP', 'GROUP', 'g', batch, 'COUNT', n, 'STREAMS', stream, '>')
  if left > 0 then file(kind, 's') end
  if left > 0 then call('ZADD', of('oldest', kind), put_at(kind, 's'), 's') end
  ticket = batch
elseif left > 0 then
  local next_one = entries[n + 1] or call('XRANGE', stream, '(' .. last_read(stream), '+', 'COUNT', 1)[1]
  call('ZADD', of('oldest', kind), next_one and next_one[2][6] or now, ticket)
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
local ids, words, changed = {}, {}, call('HEXISTS', lease, 'withdrawn') == 1
for i = 1, n do
  if not changed or call('HEXISTS', lease, '#' .. ARGV[11 + i]) == 1 then
    ids[#ids + 1], words[#words + 1] = ARGV[11 + i], 10 + n + 2 * i
  end
end
n = #ids
if n > 0 and not found(kind, ticket, ids[1]) then return {'missing'} end
call('HSET', lease, 'step', step)
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
-- ARGV: fate, whether the caller still has the plays, tokens. Answers with ``missing`` if it has, and Redis has not.
for i = 5, #ARGV do
  local kind, ticket = call('HGET', lease_key(ARGV[i]), 'kind'), call('HGET', lease_key(ARGV[i]), 'ticket')
  local id = ticket and next(leased(kind, ticket))
  if ARGV[4] == '1' and id and not found(kind, ticket, id) then return {'missing'} end
  abandon(ARGV[i], ARGV[3])
end
return ok()
""")

ADOPT = _settling("""
-- ARGV: token, kind, queue, step, being sent, suspect, request, milliseconds to live, id, (played, doubt, body)*
-- After a loss: what a worker holds in its hands becomes a lease again. Answers with the number of the first record; -1
-- if all of them are still there (the id is that of one).
local token, kind, lease = ARGV[3], ARGV[4], lease_key(ARGV[3])
local old, first_id = call('HGET', lease, 'ticket'), call('HGET', lease, 'first')
if old and first_id and found(kind, old, first_id .. '-0') then return {'ok', tonumber(first_id), 0} end
if old and found(kind, old, ARGV[11]) then return {'ok', -1, 0} end
local others = old and select(2, detach(token, kind, old)) or 0
local ticket, ids, bytes = 'a:' .. token .. ':' .. ARGV[5], {}, 0
for i = 12, #ARGV, 3 do
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
return {'ok', tonumber(first), others}
""")

LATE = _script("""
-- ARGV: kind, request, answer, at, (doubt, body)*. The answer to a request whose lease had been taken over.
local flags, bodies = {}, {}
for i = 7, #ARGV, 2 do flags[#flags + 1] = ARGV[i] bodies[#bodies + 1] = ARGV[i + 1] end
journal(ARGV[3], 'in-doubt', ARGV[4], ARGV[5], ARGV[6], table.concat(flags), bodies)
return ok()
""")

TICK = RedisScript(
    ALWAYS
    + PRELUDE
    + INTACT
    + SETTLING
    + COUNTING
    + ABANDONING
    + AUDIT
    + """
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
local taken, lost, doubtful = {}, {0, 0, 0}, 0
if ARGV[5] == '1' then
  for _, token in ipairs(call('ZRANGEBYSCORE', base .. 'leases', '-inf', now, 'LIMIT', 0, 20)) do
    local kind, logs, unsure, gone = abandon(token, ARGV[6])
    for at, name in ipairs(KINDS) do if name == kind then lost[at] = lost[at] + gone end end
    if kind and logs > 0 then
      taken[#taken + 1] = kind
      taken[#taken + 1] = logs
      taken[#taken + 1] = unsure
    end
  end
end
for at, kind in ipairs(KINDS) do
  local gone, unsure = audit(kind, ARGV[6])
  lost[at], doubtful = lost[at] + gone, doubtful + unsure
end
call('XTRIM', base .. 'journal', 'MINID', '~', string.format('%.0f', math.max(0, now - tonumber(ARGV[7]))))
for _, gone in ipairs(call('ZRANGEBYSCORE', base .. 'workers', '-inf', now - 30 * 86400000, 'LIMIT', 0, 20)) do
  call('ZREM', base .. 'workers', gone)
  call('HDEL', base .. 'appends', gone, gone .. ':answer')
end
return {'ok', number(base .. 'room', 'logs'), number(base .. 'room', 'bytes'), taken, lost, doubtful}
"""
)

LEAVE = _script("""
-- ARGV: worker.
call('ZREM', base .. 'workers', ARGV[3])
call('HDEL', base .. 'appends', ARGV[3], ARGV[3] .. ':answer')
return {'ok'}
""")

COUNTS = _reading("""
-- ARGV: the number of kinds, kinds, then the names of places. Answers with a list for each kind.
local answer, n = {'ok'}, tonumber(ARGV[3])
for i = 4, 3 + n do answer[#answer + 1] = call('HMGET', of('counts', ARGV[i]), unpack(ARGV, 4 + n)) end
return answer
""")

READ = _reading("""
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

WATERMARK = _script("""
-- ARGV: kind, a name. Note where the sequence is, and how many plays up to there have not found their end. Answers with
-- their number and the watermark. Forgotten ones of workers that have died are cleared away.
local kind = ARGV[3]
local key, marks = of('watermarks', kind), call('HGETALL', of('watermarks', kind))
for i = 1, #marks, 2 do
  if tonumber(marks[i + 1]) <= 0 and tonumber(string.match(marks[i], ':(%d+)$')) < now - 600000 then
    call('HDEL', key, marks[i])
  end
end
local left = number(of('counts', kind), 'waiting') + number(of('counts', kind), 'in_flight')
local mark = (call('GET', base .. 'sequence') or '0') .. ':' .. ARGV[4] .. ':' .. string.format('%.0f', now)
if left > 0 then
  call('HSET', key, mark, left)
  call('EXPIRE', key, 86400)
end
return {'ok', left, mark}
""")

LEFT = _script("""
-- ARGV: kind, watermark, milliseconds. Answers with how many plays up to it have not found their end; -1 if it is lost.
-- With zero milliseconds or more, without those whose ticket rests for longer.
local kind, mark, rest = ARGV[3], ARGV[4], tonumber(ARGV[5])
local key, last = of('watermarks', kind), string.match(ARGV[4], '^%d+')
local left = tonumber(call('HGET', key, mark) or -1)
-- Plays that Redis has lost find no end.
left = math.min(left, number(of('counts', kind), 'waiting') + number(of('counts', kind), 'in_flight'))
if left == 0 then call('HDEL', key, mark) end
if left <= 0 or rest < 0 then return {'ok', left} end
call('EXPIRE', key, 86400)
for _, ticket in ipairs(call('ZRANGEBYSCORE', of('resting', kind), now + rest, '+inf', 'LIMIT', 0, 10000)) do
  if left > 0 and not is(ticket, 'b') then
    left = left - #call('XRANGE', stream_of(kind, ticket), '-', last, 'COUNT', left)
  end
end
return {'ok', left}
""")

OLDEST_AGE = _reading("""
-- ARGV: kind. Answers with the milliseconds that the oldest waiting play has been here; -1 when nothing waits.
local ticket, at = first_of(of('oldest', ARGV[3]))
return {'ok', ticket and math.max(0, now - at) or -1}
""")

STATUS = _reading("""
-- ARGV: milliseconds that a worker may be silent, kinds. Answers with workers, bytes, and when each kind's oldest came.
local oldest = {}
for i = 4, #ARGV do
  local ticket, at = first_of(of('oldest', ARGV[i]))
  oldest[#oldest + 1] = ticket and at or -1
end
local workers = call('ZCOUNT', base .. 'workers', now - tonumber(ARGV[3]), '(+inf')
return {'ok', workers, number(base .. 'room', 'bytes'), oldest}
""")
