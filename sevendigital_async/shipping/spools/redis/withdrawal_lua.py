"""The Lua that takes back plays of cancelled puts, out of queues and leases; it follows the settling of leases."""

WITHDRAWAL = """
-- A play leaves a lease that was never about to be sent; its holder finds out when it wants to.
local function take_from(token, kind, ticket, id)
  local lease = lease_key(token)
  unlease(token, {id})
  let_go(kind, ticket, {id})
  count(kind, 'in_flight', -1)
  if number(lease, 'left') == 0 then close(token, kind, ticket) end
  call('HSET', lease, 'withdrawn', 1)
end

-- A play leaves its queue.
local function take_out(kind, ticket, id, body)
  local stream, away = stream_of(kind, ticket), call('HEXISTS', of('away', kind), ticket) == 1
  local came = tonumber(entry_of(kind, ticket, id)[6])
  let_go(kind, ticket, {id})
  count(kind, 'waiting', -1)
  if load(kind, ticket, -1, -#body) == 0 then
    call('LREM', of('ready', kind), 0, ticket)
    call('ZREM', of('lingering', kind), ticket)
    call('ZREM', of('resting', kind), ticket)
    if not away then call('HDEL', of('attempts', kind), ticket) end
    if is(ticket, 'b') then call('XGROUP', 'DELCONSUMER', stream, 'g', ticket) end
    if is(ticket, 'u') and not away then call('DEL', stream) end
  elseif not is(ticket, 'b') and tonumber(call('ZSCORE', of('oldest', kind), ticket) or 0) > came - 1 then
    local from = (ticket == 's' or away) and '(' .. last_read(stream) or '-'
    local next_one = call('XRANGE', stream, from, '+', 'COUNT', 1)[1]
    if next_one then call('ZADD', of('oldest', kind), next_one[2][6], ticket) end
  end
end

-- Take a play back as if it had never been put; false if it may have been sent, or isn't there any more.
local function take_back(kind, ticket, id, body)
  local stream = stream_of(kind, ticket)
  local entry = call('XRANGE', stream, id, id)[1]
  if not entry or entry[2][2] ~= body or call('SISMEMBER', of('doubted', kind), id) == 1 then return false end
  local pending = call('XPENDING', stream, 'g', id, id, 1)[1]
  if pending and ticket == 's' then ticket = pending[2] end
  local token = pending and call('HGET', of('away', kind), ticket)
  if token and call('HEXISTS', lease_key(token), '#' .. id) == 1 then
    if call('HEXISTS', lease_key(token), 'request') == 1 then return false end
    take_from(token, kind, ticket, id)
  else
    take_out(kind, ticket, id, body)
  end
  count(kind, 'put', -1)
  take_room(-1, -#body)
  return true
end

-- ARGV: worker, step, reason, then groups, the last one first:
-- kind, source, position, the one that it has replaced as APPEND says, number, (queue, number, body)*
-- Takes back plays of cancelled calls, and the positions that came with them; out of leases, too, unless their holder
-- was about to send them. Those are in doubt. Answers with how many, kind by kind. A repeated step is not taken twice.
local worker, step = ARGV[3], tonumber(ARGV[4])
local done = call('HGET', base .. 'appends', worker)
if done and tonumber(string.match(done, '%d+')) >= step then
  local answer, taken = ok(), call('HGET', base .. 'appends', worker .. ':answer')
  answer[4] = taken and cjson.decode(taken) or {}
  return answer
end
local i, taken = 6, {}
while i <= #ARGV do
  local kind, source, position, replaced, n = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], tonumber(ARGV[i + 4])
  if source ~= '' and call('HGET', base .. 'checkpoints', source) == position then
    if replaced == '' then
      call('HDEL', base .. 'checkpoints', source)
    else
      call('HSET', base .. 'checkpoints', source, string.sub(replaced, 2))
    end
  end
  local bodies, new = {}, 0
  for at = i + 5, i + 2 + 3 * n, 3 do
    local ticket, id, body = ticket_of(ARGV[at]), ARGV[at + 1] .. '-0', ARGV[at + 2]
    if not take_back(kind, ticket, id, body) then
      bodies[#bodies + 1] = body
      if #call('XRANGE', stream_of(kind, ticket), id, id) == 0 then
        new = new + 1
      else
        new = new + call('SADD', of('doubted', kind), id)
      end
    end
  end
  for from = 1, #bodies, 500 do
    local part = {unpack(bodies, from, math.min(#bodies, from + 499))}
    journal(kind, 'in-doubt', '', ARGV[5], stamp, string.rep('1', #part), part)
  end
  if #bodies > 0 then
    count(kind, 'in_doubt', new)
    taken[#taken + 1] = kind
    taken[#taken + 1] = #bodies
  end
  i = i + 5 + 3 * n
end
call('HSET', base .. 'appends', worker, string.format('%d:0:0:0', step))
call('HSET', base .. 'appends', worker .. ':answer', cjson.encode(taken))
local answer = ok()
answer[4] = taken
return answer
"""
