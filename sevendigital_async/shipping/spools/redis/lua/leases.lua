-- How plays leave a lease, what a crash makes of it, and how a queue whose keys are lost is counted again.

local PAGE = 500
local ANSWER_LOST = 'the answer of the service was lost; check whether it has this play'

local function lease_key(token) return base .. 'lease:' .. token end
local function entry_of(kind, queue, id) return call('XRANGE', stream_of(kind, queue), id, id)[1] end
local function fields_of(kind, queue, id) return entry_of(kind, queue, id)[2] end
local function sequence_of(id) return tonumber(string.match(id, '^%d+')) end
local function in_doubt_flag(kind, id) return call('SISMEMBER', key_of('in-doubt', kind), id) == 1 and '1' or '0' end

local function flags_and_bodies(kind, queue, ids)
  local flags, bodies = {}, {}
  for i, id in ipairs(ids) do flags[i], bodies[i] = in_doubt_flag(kind, id), fields_of(kind, queue, id)[BODY] end
  return table.concat(flags), bodies
end

-- Ids of the unsettled plays of a lease: a field of each, with its bytes.
local function ids_in_lease(token)
  local ids = {}
  for _, field in ipairs(call('HKEYS', lease_key(token))) do
    if string.sub(field, 1, 1) == '#' then ids[#ids + 1] = string.sub(field, 2) end
  end
  return ids
end

-- Plays leave their lease; returns their bytes.
local function remove_from_lease(token, ids)
  local bytes = 0
  for _, id in ipairs(ids) do
    bytes = bytes + number_in(lease_key(token), '#' .. id)
    call('HDEL', lease_key(token), '#' .. id)
  end
  call('HINCRBY', lease_key(token), 'left', -#ids)
  return bytes
end

-- Plays are settled: those up to a watermark are no longer left.
local function count_down_watermarks(kind, ids)
  local watermarks = call('HGETALL', key_of('watermarks', kind))
  for i = 1, #watermarks, 2 do
    local last, passed = sequence_of(watermarks[i]), 0
    for _, id in ipairs(ids) do
      if sequence_of(id) <= last then passed = passed + 1 end
    end
    if passed > 0 then call('HINCRBY', key_of('watermarks', kind), watermarks[i], -passed) end
  end
end

local function delete_plays(kind, queue, ids)
  count_down_watermarks(kind, ids)
  call('XACK', stream_of(kind, queue), 'g', unpack(ids))
  call('XDEL', stream_of(kind, queue), unpack(ids))
  call('SREM', key_of('in-doubt', kind), unpack(ids))
end

local function mark_in_doubt(kind, queue, ids, request)
  local new = 0
  for _, id in ipairs(ids) do new = new + call('SADD', key_of('in-doubt', kind), id) end
  add_to_count(kind, 'in_doubt', new)
  local flags, bodies = flags_and_bodies(kind, queue, ids)
  add_to_journal(kind, 'in-doubt', request, '', timestamp, flags, bodies)
end

-- Plays of a lease wait again.
local function return_to_queue(token, kind, queue, ids, delay, count_attempt)
  if #ids == 0 then return end
  add_to_queue(kind, queue, #ids, remove_from_lease(token, ids))
  local first = ids[1]
  for _, id in ipairs(ids) do
    if sequence_of(id) < sequence_of(first) then first = id end
  end
  call('ZADD', key_of('oldest', kind), 'LT', fields_of(kind, queue, first)[ACCEPTED_AT], queue)
  add_to_count(kind, 'in_flight', -#ids)
  add_to_count(kind, 'waiting', #ids)
  local lease = lease_key(token)
  call('HINCRBY', lease, 'returned', #ids)
  if delay > number_in(lease, 'delay') then call('HSET', lease, 'delay', delay) end
  if count_attempt then call('HSET', lease, 'count_attempt', 1) end
end

local function add_dead_letter(kind, queue, id, state, reason, code, at)
  local play = fields_of(kind, queue, id)
  call('XADD', base .. 'dead-letters', '*', 'k', kind, 'l', state, 'q', user_of(queue), 'p', play[PLAYED_AT],
    'b', play[BODY], 'w', reason, 'c', code, 't', at, 'd', in_doubt_flag(kind, id))
end

local function hold(token, kind, queue, ids)
  if #ids == 0 then return end
  for _, id in ipairs(ids) do add_dead_letter(kind, queue, id, 'held', ANSWER_LOST, '', timestamp) end
  remove_from_lease(token, ids)
  delete_plays(kind, queue, ids)
  add_to_count(kind, 'in_flight', -#ids)
  add_to_count(kind, 'held', #ids)
end

-- End a lease whose plays are all settled. Its step is kept for a while, for answers that were lost.
local function close_lease(token, kind, queue)
  local lease = lease_key(token)
  local delay, returned, step = number_in(lease, 'delay'), number_in(lease, 'returned'), number_in(lease, 'step')
  call('HDEL', key_of('leased', kind), queue)
  call('ZREM', base .. 'leases', token)
  if number_in(lease, 'count_attempt') == 1 then call('HINCRBY', key_of('attempts', kind), queue, 1) end
  if number_in(key_of('logs', kind), queue) == 0 then
    call('HDEL', key_of('attempts', kind), queue)
    if is_type(queue, 'b') then
      redis.pcall('XGROUP', 'DELCONSUMER', stream_of(kind, queue), 'g', queue) -- the stream may be lost
    else
      call('DEL', stream_of(kind, queue))
    end
  elseif delay > 0 then
    call('ZADD', key_of('delayed', kind), now + delay, queue)
  elseif returned > 0 then
    call('LPUSH', key_of('ready', kind), queue)
  else
    schedule(kind, queue)
  end
  call('DEL', lease)
  call('HSET', lease, 'step', step)
  call('EXPIRE', lease, 600)
end

-- Visit all entries of a stream from an id on.
local function for_each_entry(stream, from, visit)
  while true do
    local page = call('XRANGE', stream, from, '+', 'COUNT', PAGE)
    for _, entry in ipairs(page) do visit(entry[1], entry[2]) end
    if #page < PAGE then return end
    from = '(' .. page[#page][1]
  end
end

local function pending_ids(kind, queue)
  local stream, ids, from = stream_of(kind, queue), {}, '-'
  if call('EXISTS', stream) == 0 or queue == 'p' then return ids end
  while true do
    local page = call('XPENDING', stream, 'g', from, '+', PAGE, consumer_of(queue))
    for _, entry in ipairs(page) do ids[#ids + 1] = entry[1] end
    if #page < PAGE then return ids end
    from = '(' .. ids[#ids]
  end
end

-- What of a queue exists and is not leased: logs, bytes, and when the first of it was accepted.
local function measure(kind, queue)
  local stream, logs, bytes, since, leased = stream_of(kind, queue), 0, 0, nil, {}
  local token = call('HGET', key_of('leased', kind), queue)
  for _, id in ipairs(token and ids_in_lease(token) or {}) do leased[id] = true end
  local function add(id, fields)
    if leased[id] then return end
    logs, bytes, since = logs + 1, bytes + #fields[BODY], since or fields[ACCEPTED_AT]
  end
  if is_type(queue, 'b') then
    for _, id in ipairs(pending_ids(kind, queue)) do
      local entry = entry_of(kind, queue, id)
      if entry then add(id, entry[2]) end
    end
  elseif call('EXISTS', stream) == 1 then
    for_each_entry(stream, queue == 'p' and '(' .. last_delivered_id(stream) or '-', add)
  end
  return logs, bytes, since
end

local function is_scheduled(kind, queue)
  return call('ZSCORE', key_of('lingering', kind), queue) or call('ZSCORE', key_of('delayed', kind), queue)
    or call('LPOS', key_of('ready', kind), queue)
end

-- Set what is known of a queue by its stream; returns the difference in logs and bytes.
local function rebuild_queue(kind, queue, scheduled)
  local logs, bytes, since = measure(kind, queue)
  local more_logs = logs - number_in(key_of('logs', kind), queue)
  local more_bytes = bytes - number_in(key_of('bytes', kind), queue)
  local is_leased = call('HEXISTS', key_of('leased', kind), queue) == 1
  if logs > 0 then
    call('HSET', key_of('logs', kind), queue, logs)
    call('HSET', key_of('bytes', kind), queue, bytes)
    call('ZADD', key_of('oldest', kind), since, queue)
    if scheduled == nil then scheduled = is_scheduled(kind, queue) end
    if not is_leased and not scheduled then schedule(kind, queue) end
  else
    call('HDEL', key_of('logs', kind), queue)
    call('HDEL', key_of('bytes', kind), queue)
    call('ZREM', key_of('oldest', kind), queue)
    if not is_leased then
      call('LREM', key_of('ready', kind), 0, queue)
      call('ZREM', key_of('lingering', kind), queue)
      call('ZREM', key_of('delayed', kind), queue)
      call('HDEL', key_of('attempts', kind), queue)
      if is_type(queue, 'u') or is_type(queue, 'a') then call('DEL', stream_of(kind, queue)) end
    end
  end
  return more_logs, more_bytes
end

-- A stream has lost plays: they are not counted any more. Returns how many.
local function remove_lost_plays(kind, queue)
  local more_logs, more_bytes = rebuild_queue(kind, queue)
  add_to_count(kind, 'waiting', more_logs)
  add_to_count(kind, 'put', more_logs)
  add_to_usage(more_logs, more_bytes)
  return -more_logs
end

-- The stream of a lease is lost: delete the lease. Returns how many plays it had, and how many others are lost.
local function remove_lost_lease(token, kind, queue)
  local lease, bytes = lease_key(token), 0
  local left = number_in(lease, 'left')
  for _, id in ipairs(ids_in_lease(token)) do bytes = bytes + number_in(lease, '#' .. id) end
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
  local ids = pending_ids(kind, queue)
  call('HDEL', key_of('leased', kind), queue)
  for first = 1, #ids, PAGE do
    local some = {unpack(ids, first, math.min(first + PAGE - 1, #ids))}
    mark_in_doubt(kind, queue, some, '')
    if policy == 'hold' then
      for _, id in ipairs(some) do add_dead_letter(kind, queue, id, 'held', ANSWER_LOST, '', timestamp) end
      delete_plays(kind, queue, some)
      add_to_count(kind, 'held', #some)
    end
  end
  return #ids
end

-- What a crash does: what was being sent is in doubt, the rest waits again. Returns the kind, how many plays, how many
-- in doubt, and how many are lost because their stream is.
local function abandon(token, policy)
  local lease = lease_key(token)
  local kind, queue = call('HGET', lease, 'kind'), call('HGET', lease, 'queue')
  if not queue then call('ZREM', base .. 'leases', token) return nil end
  local is_sent, sent, unsent = {}, {}, {}
  for id in string.gmatch(call('HGET', lease, 'sending') or '', '[^,]+') do is_sent[id] = true end
  for _, id in ipairs(ids_in_lease(token)) do table.insert(is_sent[id] and sent or unsent, id) end
  local first = sent[1] or unsent[1]
  if first and not entry_of(kind, queue, first) then
    local lost, others = remove_lost_lease(token, kind, queue)
    return kind, 0, 0, lost + others
  end
  local request = call('HGET', lease, 'request') or ''
  mark_in_doubt(kind, queue, sent, request)
  if policy == 'hold' then
    hold(token, kind, queue, sent)
  else
    return_to_queue(token, kind, queue, sent, 0, true)
  end
  local suspect = number_in(lease, 'suspect') == 1
  if suspect then mark_in_doubt(kind, queue, unsent, request) end
  return_to_queue(token, kind, queue, unsent, 0, suspect)
  close_lease(token, kind, queue)
  return kind, #sent + #unsent, suspect and #sent + #unsent or #sent, 0
end
