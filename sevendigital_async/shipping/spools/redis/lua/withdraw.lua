#!lua flags=allow-oom
-- Withdraw plays of cancelled puts, and the checkpoints that came with them; out of leases, too, unless their worker has
-- declared its intent to send them. Plays that can't be withdrawn are in doubt.
-- Answers with usage, and how many plays are in doubt, kind by kind. A repeated step gets the first answer again.
-- include: spool leases
local worker = ARGV[3]
local step = tonumber(ARGV[4])
local reason = ARGV[5]
local groups = 6 -- ARGV[6] and on, last one first: kind, source, position, the position replaced as append.lua says,
-- number of plays, and for each play user, sequence, body

if spool_error then return {spool_error} end

local function withdraw_from_lease(token, kind, queue, id)
  local lease = lease_key(token)
  remove_from_lease(token, {id})
  delete_plays(kind, queue, {id})
  add_to_count(kind, 'in_flight', -1)
  if number_in(lease, 'left') == 0 then close_lease(token, kind, queue) end
  call('HSET', lease, 'withdrawn', 1) -- intent.lua says so to its worker
end

local function withdraw_from_queue(kind, queue, id, body)
  local stream, is_leased = stream_of(kind, queue), call('HEXISTS', key_of('leased', kind), queue) == 1
  local accepted_at = tonumber(fields_of(kind, queue, id)[ACCEPTED_AT])
  delete_plays(kind, queue, {id})
  add_to_count(kind, 'waiting', -1)
  if add_to_queue(kind, queue, -1, -#body) == 0 then
    call('LREM', key_of('ready', kind), 0, queue)
    call('ZREM', key_of('lingering', kind), queue)
    call('ZREM', key_of('delayed', kind), queue)
    if not is_leased then call('HDEL', key_of('attempts', kind), queue) end
    if is_type(queue, 'b') then call('XGROUP', 'DELCONSUMER', stream, 'g', queue) end
    if is_type(queue, 'u') and not is_leased then call('DEL', stream) end
  elseif not is_type(queue, 'b')
    and tonumber(call('ZSCORE', key_of('oldest', kind), queue) or 0) > accepted_at - 1 then
    local from = (queue == 'p' or is_leased) and '(' .. last_delivered_id(stream) or '-'
    local next_one = call('XRANGE', stream, from, '+', 'COUNT', 1)[1]
    if next_one then call('ZADD', key_of('oldest', kind), next_one[2][ACCEPTED_AT], queue) end
  end
end

-- Withdraw a play as if it had never been put; false if it may have been sent, or does not exist any more.
local function withdraw(kind, queue, id, body)
  local stream = stream_of(kind, queue)
  local entry = entry_of(kind, queue, id)
  if not entry or entry[2][BODY] ~= body or in_doubt_flag(kind, id) == '1' then return false end
  local pending = call('XPENDING', stream, 'g', id, id, 1)[1]
  if pending and queue == 'p' then queue = pending[2] end
  local token = pending and call('HGET', key_of('leased', kind), queue)
  if token and call('HEXISTS', lease_key(token), '#' .. id) == 1 then
    if call('HEXISTS', lease_key(token), 'request') == 1 then return false end
    withdraw_from_lease(token, kind, queue, id)
  else
    withdraw_from_queue(kind, queue, id, body)
  end
  add_to_count(kind, 'put', -1)
  add_to_usage(-1, -#body)
  return true
end

local appends, checkpoints = base .. 'appends', base .. 'checkpoints'
local done = call('HGET', appends, worker)
if done and tonumber(string.match(done, '%d+')) >= step then
  local answer, first_answer = ok(), call('HGET', appends, worker .. ':answer')
  answer[4] = first_answer and cjson.decode(first_answer) or {}
  return answer
end
local i, in_doubt = groups, {}
while i <= #ARGV do
  local kind, source, position, replaced, n = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], tonumber(ARGV[i + 4])
  if source ~= '' and call('HGET', checkpoints, source) == position then
    if replaced == '' then
      call('HDEL', checkpoints, source)
    else
      call('HSET', checkpoints, source, string.sub(replaced, 2))
    end
  end
  local bodies, new = {}, 0
  for at = i + 5, i + 2 + 3 * n, 3 do
    local queue, id, body = queue_of(ARGV[at]), ARGV[at + 1] .. '-0', ARGV[at + 2]
    if not withdraw(kind, queue, id, body) then
      bodies[#bodies + 1] = body
      new = new + (entry_of(kind, queue, id) and call('SADD', key_of('in-doubt', kind), id) or 1)
    end
  end
  for from = 1, #bodies, PAGE do
    local part = {unpack(bodies, from, math.min(#bodies, from + PAGE - 1))}
    add_to_journal(kind, 'in-doubt', '', reason, timestamp, string.rep('1', #part), part)
  end
  if #bodies > 0 then
    add_to_count(kind, 'in_doubt', new)
    in_doubt[#in_doubt + 1] = kind
    in_doubt[#in_doubt + 1] = #bodies
  end
  i = i + 5 + 3 * n
end
call('HSET', appends, worker, string.format('%d:0:0:0', step))
call('HSET', appends, worker .. ':answer', cjson.encode(in_doubt))
local answer = ok()
answer[4] = in_doubt
return answer
