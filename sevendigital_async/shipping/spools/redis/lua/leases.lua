-- How plays leave a lease, how an abandoned lease ends, and how a queue whose keys are lost is counted again.

local ANSWER_LOST = 'the answer of the service was lost; check whether it has this play'

local function lease_key(token) return base .. 'lease:' .. token end

-- Plays leave their lease: `kept` are the chunks that stay in it.
local function remove_from_lease(token, kind, queue, chunks, kept)
  local logs, bytes = total_of(chunks)
  if logs == 0 then return 0, 0 end
  replace_chunks(batch_of(kind, queue), kept)
  call('HINCRBY', lease_key(token), 'left', -logs)
  call('HINCRBY', lease_key(token), 'bytes', -bytes)
  return logs, bytes
end

-- Plays are settled: those up to a watermark are no longer left.
local function count_down_watermarks(kind, chunks)
  local watermarks = call('HGETALL', key_of('watermarks', kind))
  for i = 1, #watermarks, 2 do
    local last, passed = tonumber(string.match(watermarks[i], '^%d+')), 0
    for _, chunk in ipairs(chunks) do
      passed = passed + math.max(0, math.min(chunk.logs, last - chunk.first + 1))
    end
    if passed > 0 then call('HINCRBY', key_of('watermarks', kind), watermarks[i], -passed) end
  end
end

-- Note in the journal that plays are in doubt, and return chunks that say so.
local function mark_in_doubt(kind, chunks, request, reason)
  local marked, new = {}, 0
  for i, chunk in ipairs(chunks) do
    marked[i] = chunk
    if chunk.in_doubt == 0 then
      new = new + chunk.logs
      marked[i] = new_chunk(chunk.first, chunk.logs, chunk.bytes, 1, chunk.accepted_at, packed_of(chunk))
    end
  end
  add_to_count(kind, 'in_doubt', new)
  add_to_journal(kind, 'in-doubt', request, reason or '', timestamp, marked)
  return marked
end

-- Plays that have left their lease wait again.
local function return_to_queue(token, kind, queue, chunks, delay, count_attempt)
  local logs, bytes = total_of(chunks)
  if logs == 0 then return end
  put_back(list_of(kind, queue), chunks)
  add_to_queue(kind, queue, logs, bytes)
  call('ZADD', key_of('oldest', kind), first_chunk(list_of(kind, queue)).accepted_at, queue)
  add_to_count(kind, 'in_flight', -logs)
  add_to_count(kind, 'waiting', logs)
  local lease = lease_key(token)
  call('HINCRBY', lease, 'returned', logs)
  if delay > number_in(lease, 'delay') then call('HSET', lease, 'delay', delay) end
  if count_attempt then call('HSET', lease, 'count_attempt', 1) end
end

-- Plays of chunks become dead letters; `reason_of` returns reason and code by sequence.
local function add_dead_letters(kind, queue, state, chunks, at, reason_of)
  for _, chunk in ipairs(chunks) do
    for_each_play(chunk, function(body, played_at, sequence)
      local reason, code = reason_of(sequence)
      call('XADD', base .. 'dead-letters', '*', 'k', kind, 'l', state, 'q', user_of(queue), 'p', played_at,
        'b', body, 'w', reason, 'c', code, 't', at, 'd', chunk.in_doubt)
    end)
  end
  count_down_watermarks(kind, chunks)
end
local function answer_lost() return ANSWER_LOST, '' end

-- Plays that have left their lease are held.
local function hold(kind, queue, chunks)
  local logs = total_of(chunks)
  add_dead_letters(kind, queue, 'held', chunks, timestamp, answer_lost)
  add_to_count(kind, 'in_flight', -logs)
  add_to_count(kind, 'held', logs)
end

-- End a lease whose plays are all settled. Its step is kept for a while, for answers that were lost.
local function close_lease(token, kind, queue)
  local lease = lease_key(token)
  local values = call('HMGET', lease, 'delay', 'returned', 'count_attempt', 'step')
  local delay, returned = tonumber(values[1] or 0), tonumber(values[2] or 0)
  call('HDEL', key_of('leased', kind), queue)
  call('ZREM', base .. 'leases', token)
  if values[3] == '1' then call('HINCRBY', key_of('attempts', kind), queue, 1) end
  if number_in(key_of('logs', kind), queue) == 0 then
    call('HDEL', key_of('attempts', kind), queue)
  elseif delay > 0 then
    call('ZADD', key_of('delayed', kind), now + delay, queue)
  elseif returned > 0 then
    call('LPUSH', key_of('ready', kind), queue)
  else
    local head = first_chunk(list_of(kind, queue))
    schedule(kind, queue, head and head.accepted_at or now)
  end
  call('DEL', lease)
  call('HSET', lease, 'step', values[4] or 0)
  call('EXPIRE', lease, 600)
end

-- What waits in a queue: logs, bytes, when the first of it was accepted, and how many plays are in doubt.
local function measure(kind, queue)
  local logs, bytes, since, in_doubt = 0, 0, nil, 0
  for_each_chunk(list_of(kind, queue), function(chunk)
    logs, bytes, since = logs + chunk.logs, bytes + chunk.bytes, since or chunk.accepted_at
    in_doubt = in_doubt + chunk.in_doubt * chunk.logs
  end)
  return logs, bytes, since, in_doubt
end

local function is_scheduled(kind, queue)
  return call('ZSCORE', key_of('lingering', kind), queue) or call('ZSCORE', key_of('delayed', kind), queue)
    or call('LPOS', key_of('ready', kind), queue)
end

-- Set what is known of a queue by its list; returns the difference in logs and bytes, and how many plays are in doubt.
local function rebuild_queue(kind, queue, scheduled)
  local logs, bytes, since, in_doubt = measure(kind, queue)
  local more_logs = logs - number_in(key_of('logs', kind), queue)
  local more_bytes = bytes - number_in(key_of('bytes', kind), queue)
  local is_leased = call('HEXISTS', key_of('leased', kind), queue) == 1
  if logs > 0 then
    call('HSET', key_of('logs', kind), queue, logs)
    call('HSET', key_of('bytes', kind), queue, bytes)
    call('ZADD', key_of('oldest', kind), since, queue)
    if scheduled == nil then scheduled = is_scheduled(kind, queue) end
    if not is_leased and not scheduled then schedule(kind, queue, since) end
  else
    call('HDEL', key_of('logs', kind), queue)
    call('HDEL', key_of('bytes', kind), queue)
    call('ZREM', key_of('oldest', kind), queue)
    if not is_leased then
      call('LREM', key_of('ready', kind), 0, queue)
      call('ZREM', key_of('lingering', kind), queue)
      call('ZREM', key_of('delayed', kind), queue)
      call('HDEL', key_of('attempts', kind), queue)
    end
  end
  return more_logs, more_bytes, in_doubt
end

-- A list has lost plays: they are not counted any more. Returns how many.
local function remove_lost_plays(kind, queue)
  local more_logs, more_bytes = rebuild_queue(kind, queue)
  add_to_count(kind, 'waiting', more_logs)
  add_to_count(kind, 'put', more_logs)
  add_to_usage(more_logs, more_bytes)
  return -more_logs
end

-- The plays of a lease are lost: delete the lease. Returns how many plays it had, and how many others are lost.
local function remove_lost_lease(token, kind, queue)
  local lease = lease_key(token)
  local left, bytes = number_in(lease, 'left'), number_in(lease, 'bytes')
  call('DEL', lease)
  call('ZREM', base .. 'leases', token)
  call('HDEL', key_of('leased', kind), queue)
  add_to_count(kind, 'in_flight', -left)
  add_to_count(kind, 'put', -left)
  add_to_usage(-left, -bytes)
  return left, remove_lost_plays(kind, queue)
end

-- A lease is lost, and with it which of its plays were being sent. Returns how many may have been.
local function recover_plays_of_lost_lease(kind, queue, policy)
  local chunks = chunks_in(batch_of(kind, queue))
  local logs = total_of(chunks)
  call('HDEL', key_of('leased', kind), queue)
  call('DEL', batch_of(kind, queue))
  chunks = mark_in_doubt(kind, chunks, '')
  if policy == 'hold' then
    add_dead_letters(kind, queue, 'held', chunks, timestamp, answer_lost)
    add_to_count(kind, 'held', logs)
  else
    put_back(list_of(kind, queue), chunks)
  end
  return logs
end

-- End a lease as after a crash: plays in a request are in doubt, the others wait again. Returns the kind, how many plays, how many
-- in doubt, and how many are lost because their list is.
local function abandon(token, policy)
  local lease = lease_key(token)
  local values = call('HMGET', lease, 'kind', 'queue', 'left', 'sending', 'request', 'suspect')
  local kind, queue, request, suspect = values[1], values[2], values[5] or '', values[6] == '1'
  if not queue then call('ZREM', base .. 'leases', token) return nil end
  local chunks = chunks_in(batch_of(kind, queue))
  if #chunks == 0 and tonumber(values[3]) > 0 then
    local lost, others = remove_lost_lease(token, kind, queue)
    return kind, 0, 0, lost + others
  end
  local sent, unsent = divide(chunks, runs_of(values[4] or ''))
  local sent_logs, logs = total_of(sent), total_of(chunks)
  sent = mark_in_doubt(kind, sent, request)
  if suspect then unsent = mark_in_doubt(kind, unsent, request) end
  remove_from_lease(token, kind, queue, chunks, {})
  if policy == 'hold' then
    hold(kind, queue, sent)
  else
    return_to_queue(token, kind, queue, sent, 0, true)
  end
  return_to_queue(token, kind, queue, unsent, 0, suspect)
  close_lease(token, kind, queue)
  return kind, logs, suspect and logs or sent_logs, 0
end
