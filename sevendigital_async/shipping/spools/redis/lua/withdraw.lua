#!lua flags=allow-oom
-- Withdraw plays of cancelled puts, and the checkpoints that came with them; out of leases, too, unless their worker has
-- declared its intent to send them. Plays that can't be withdrawn are in doubt.
-- Answers with usage, and how many plays are in doubt, kind by kind. A repeated step gets the first answer again.
-- include: spool chunks leases
local worker = ARGV[3]
local step = tonumber(ARGV[4])
local reason = ARGV[5]
local groups = 6 -- ARGV[6] and on, last one first: kind, source, position, the position replaced as append.lua says,
-- number of chunks, and for each chunk user, sequence, plays, and the packed plays

if spool_error then return {spool_error} end

-- Change the plays of a list that are also in a chunk; searched from its end, where a put adds them. `change` returns a
-- chunk to keep, or nothing.
local function change_overlapping(list, wanted, change)
  local found, is_found, at = {}, false, -1
  while true do
    local text = call('LINDEX', list, at)
    local chunk = text and chunk_of(text)
    if not chunk or chunk.first + chunk.logs <= wanted.first then break end
    is_found = is_found or chunk.first < wanted.first + wanted.logs
    table.insert(found, 1, chunk)
    at = at - 1
  end
  if not is_found then return end
  local inside, kept = divide(found, {{first = wanted.first, stop = wanted.first + wanted.logs}})
  for _, chunk in ipairs(inside) do
    -- After a loss, other plays may have the same numbers.
    local is_same = packed_of(cut(wanted, chunk.first - wanted.first, chunk.logs)) == packed_of(chunk)
    kept[#kept + 1] = not is_same and chunk or change(chunk)
  end
  table.sort(kept, by_sequence)
  call('RPOP', list, #found)
  push_chunks(list, kept)
end

-- Take plays out of a list that are not in doubt.
local function take_free(list, wanted)
  local free = {}
  change_overlapping(list, wanted, function(chunk)
    if chunk.in_doubt == 1 then return chunk end
    free[#free + 1] = chunk
  end)
  return free
end

-- Mark plays in a list as in doubt; returns how many were found, and how many of them were not marked before.
local function mark_found(list, wanted)
  local logs, new = 0, 0
  change_overlapping(list, wanted, function(chunk)
    logs = logs + chunk.logs
    new = new + (1 - chunk.in_doubt) * chunk.logs
    return new_chunk(chunk.first, chunk.logs, chunk.bytes, 1, chunk.accepted_at, packed_of(chunk))
  end)
  return logs, new
end

local function count_withdrawn(kind, chunks)
  local logs, bytes = total_of(chunks)
  count_down_watermarks(kind, chunks)
  add_to_count(kind, 'put', -logs)
  add_to_usage(-logs, -bytes)
end

local function forget_empty_queue(kind, queue)
  call('LREM', key_of('ready', kind), 0, queue)
  call('ZREM', key_of('lingering', kind), queue)
  call('ZREM', key_of('delayed', kind), queue)
  if call('HEXISTS', key_of('leased', kind), queue) == 0 then call('HDEL', key_of('attempts', kind), queue) end
end

-- Withdraw plays that wait; returns their chunks.
local function withdraw_from_queue(kind, queue, wanted)
  local list = list_of(kind, queue)
  local free = take_free(list, wanted)
  local logs, bytes = total_of(free)
  if logs == 0 then return free end
  add_to_count(kind, 'waiting', -logs)
  if add_to_queue(kind, queue, -logs, -bytes) == 0 then
    forget_empty_queue(kind, queue)
  else
    call('ZADD', key_of('oldest', kind), first_chunk(list).accepted_at, queue)
  end
  count_withdrawn(kind, free)
  return free
end

-- Withdraw plays that are leased, and not about to be sent; returns their chunks.
local function withdraw_from_lease(kind, queue, token, wanted)
  local lease = lease_key(token)
  if call('HEXISTS', lease, 'queue') == 0 or call('HEXISTS', lease, 'request') == 1 then return {} end
  local free = take_free(batch_of(kind, queue), wanted)
  local logs, bytes = total_of(free)
  if logs == 0 then return free end
  call('HINCRBY', lease, 'bytes', -bytes)
  add_to_count(kind, 'in_flight', -logs)
  if call('HINCRBY', lease, 'left', -logs) == 0 then close_lease(token, kind, queue) end
  call('HSET', lease, 'withdrawn', 1) -- intent.lua says so to its worker
  count_withdrawn(kind, free)
  return free
end

-- The queues in which plays of a user may be.
local function queues_of(kind, user)
  local queues = {queue_of(user)}
  if user ~= '' then return queues end
  local seen = {}
  for _, name in ipairs({'leased', 'logs'}) do
    for _, queue in ipairs(call('HKEYS', key_of(name, kind))) do
      if is_type(queue, 'b') and not seen[queue] then
        seen[queue] = true
        queues[#queues + 1] = queue
      end
    end
  end
  return queues
end

-- Withdraw a chunk as if it had never been put. Returns chunks of the plays that may have been sent, and how many of
-- them were not in doubt before.
local function withdraw(kind, user, wanted)
  local gone, left = {}, wanted.logs
  local function note(chunks)
    for _, chunk in ipairs(chunks) do gone[#gone + 1] = {first = chunk.first, stop = chunk.first + chunk.logs} end
    left = left - total_of(chunks)
  end
  note(withdraw_from_queue(kind, queue_of(user), wanted))
  if left == 0 then return {}, 0 end
  local queues = queues_of(kind, user)
  for i, queue in ipairs(queues) do
    local token = call('HGET', key_of('leased', kind), queue)
    if token then note(withdraw_from_lease(kind, queue, token, wanted)) end
    if i > 1 then note(withdraw_from_queue(kind, queue, wanted)) end
  end
  if left == 0 then return {}, 0 end
  table.sort(gone, by_sequence)
  local _, rest = divide({wanted}, gone)
  local found, new = 0, 0
  for _, queue in ipairs(queues) do
    for _, list in ipairs({list_of(kind, queue), batch_of(kind, queue)}) do
      local logs, marked = mark_found(list, wanted)
      found, new = found + logs, new + marked
    end
  end
  return rest, new + left - found
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
  local logs = 0
  for at = i + 5, i + 1 + 4 * n, 4 do
    local user, first, plays, packed = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), ARGV[at + 3]
    local rest, new = withdraw(kind, user, new_chunk(first, plays, #packed - 12 * plays, 1, now, packed))
    add_to_journal(kind, 'in-doubt', '', reason, timestamp, rest)
    add_to_count(kind, 'in_doubt', new)
    logs = logs + total_of(rest)
  end
  if logs > 0 then
    in_doubt[#in_doubt + 1] = kind
    in_doubt[#in_doubt + 1] = logs
  end
  i = i + 5 + 4 * n
end
call('HSET', appends, worker, string.format('%d:0:0:0', step))
call('HSET', appends, worker .. ':answer', cjson.encode(in_doubt))
local answer = ok()
answer[4] = in_doubt
return answer
