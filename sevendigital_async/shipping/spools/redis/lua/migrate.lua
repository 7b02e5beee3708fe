#!lua flags=allow-oom
-- Migrate a spool of layout 2, where a play was an entry of a stream, in steps of a bounded size; each may be repeated, by
-- any worker. The first step stops workers of that release: they find another layout from then on. Their leases end as
-- a crash ends them. Then every stream is moved into a list, and at last the spool gets its layout.
-- Answers with the cursor of the next step, and whether the spool is migrated.
-- include: spool chunks leases
local cursor = ARGV[3] -- empty at first
local in_doubt_policy = ARGV[4]
local limit = tonumber(ARGV[5]) -- plays in one step, or a few more

local LEASES = 10 -- in one step
local SAME_TIME = 1000 -- milliseconds between the first and the last accepted play of a chunk
local spool, usage = base .. 'spool', base .. 'usage'
local function kept(field) return call('HGET', spool, field) or call('HGET', usage, field) end

if kept('layout') == LAYOUT then return {'ok', '', 1} end
local id = kept('id')
for _, key in ipairs({spool, usage}) do
  call('HSET', key, 'layout', MIGRATING)
  if id then call('HSET', key, 'id', id) end
end
call('SET', base .. 'aside', LAYOUT)
for _, kind in ipairs(KINDS) do call('DEL', key_of('watermarks', kind)) end -- of workers that are stopped now

local function stream_of(kind, queue) return base .. 'queue:' .. kind .. ':' .. (is_type(queue, 'b') and 'p' or queue) end
local function consumer_of(queue) return is_type(queue, 'b') and queue or 'q' end
local function play_of(kind, id, fields)
  return {
    id = id, body = fields[2], played_at = fields[4], accepted_at = tonumber(fields[6]),
    in_doubt = call('SISMEMBER', key_of('in-doubt', kind), id),
  }
end
local function plays_of(kind, stream, ids)
  local plays = {}
  for _, id in ipairs(ids) do
    local entry = call('XRANGE', stream, id, id)[1]
    if entry then plays[#plays + 1] = play_of(kind, id, entry[2]) end
  end
  return plays
end
local function pending_ids(stream, consumer, logs)
  local ids = {}
  for i, pending in ipairs(call('XPENDING', stream, 'g', '-', '+', logs, consumer)) do ids[i] = pending[1] end
  return ids
end
local function bytes_of(plays)
  local bytes = 0
  for _, play in ipairs(plays) do bytes = bytes + #play.body end
  return bytes
end
local function delete_plays(kind, stream, plays)
  for _, play in ipairs(plays) do
    call('XACK', stream, 'g', play.id)
    call('XDEL', stream, play.id)
    call('SREM', key_of('in-doubt', kind), play.id)
  end
end

-- Plays as chunks: together if they were accepted together, and are all in doubt or all not.
local function chunks_of(plays, first)
  local chunks, at = {}, 1
  while at <= #plays do
    local lengths, times, bodies, head = {}, {}, {}, plays[at]
    local from, play = at, head
    while play and #bodies < MAX_CHUNK and play.in_doubt == head.in_doubt
      and play.accepted_at - head.accepted_at <= SAME_TIME do
      lengths[#lengths + 1] = struct.pack('<I4', #play.body)
      times[#times + 1] = struct.pack('<d', tonumber(play.played_at) / 1e6)
      bodies[#bodies + 1] = play.body
      at = at + 1
      play = plays[at]
    end
    local packed = table.concat(bodies)
    chunks[#chunks + 1] = new_chunk(first + from - 1, #bodies, #packed, head.in_doubt, head.accepted_at,
      table.concat(lengths) .. table.concat(times) .. packed)
  end
  return chunks
end

local function mark_plays(kind, plays, request)
  local new = 0
  for _, play in ipairs(plays) do
    new = new + call('SADD', key_of('in-doubt', kind), play.id)
    play.in_doubt = 1
  end
  add_to_count(kind, 'in_doubt', new)
  add_to_journal(kind, 'in-doubt', request, '', timestamp, chunks_of(plays, 0))
end

-- End a lease as a crash does; without its key, nobody knows which of its plays were being sent.
local function end_lease(kind, queue, token)
  local lease, stream = lease_key(token), stream_of(kind, queue)
  local values = call('HMGET', lease, 'queue', 'sending', 'request', 'suspect')
  local ids, is_sent, bytes, left, suspect = {}, {}, 0, 0, values[4] == '1'
  if values[1] then
    local fields = call('HGETALL', lease)
    for i = 1, #fields, 2 do
      local entry_id = string.match(fields[i], '^#(.*)$')
      if entry_id then
        ids[#ids + 1], bytes, left = entry_id, bytes + fields[i + 1], left + 1
      end
    end
    for entry_id in string.gmatch(values[2] or '', '[^,]+') do is_sent[entry_id] = true end
  elseif call('EXISTS', stream) == 1 then
    ids, suspect = pending_ids(stream, consumer_of(queue), 10000), true
  end
  local sent, unsent = {}, {}
  for _, play in ipairs(plays_of(kind, stream, ids)) do table.insert(is_sent[play.id] and sent or unsent, play) end
  local function by_id(one, other) return tonumber(string.match(one.id, '%d+')) < tonumber(string.match(other.id, '%d+')) end
  table.sort(sent, by_id)
  table.sort(unsent, by_id)
  mark_plays(kind, sent, values[3] or '')
  if suspect then mark_plays(kind, unsent, values[3] or '') end
  local returned, returned_bytes = #unsent, bytes_of(unsent)
  if in_doubt_policy == 'hold' then
    for _, chunk in ipairs(chunks_of(sent, 0)) do
      add_dead_letters(kind, queue, 'held', {chunk}, timestamp, answer_lost)
    end
    delete_plays(kind, stream, sent)
    add_to_count(kind, 'held', #sent)
  else
    returned, returned_bytes = returned + #sent, returned_bytes + bytes_of(sent)
  end
  local lost = values[1] and left - #sent - #unsent or 0
  if values[1] then add_to_count(kind, 'in_flight', -left) end
  if lost > 0 then
    add_to_count(kind, 'put', -lost)
    add_to_usage(-lost, -(bytes - bytes_of(sent) - bytes_of(unsent)))
  end
  add_to_count(kind, 'waiting', returned)
  if returned > 0 then
    add_to_queue(kind, queue, returned, returned_bytes)
    local first = sent[1] or unsent[1]
    call('ZADD', key_of('oldest', kind), 'LT', first.accepted_at, queue)
  end
  if #sent > 0 or suspect then call('HINCRBY', key_of('attempts', kind), queue, 1) end
  if number_in(key_of('logs', kind), queue) > 0 then
    call('LPUSH', key_of('ready', kind), queue)
  else
    call('HDEL', key_of('attempts', kind), queue)
  end
  call('HDEL', key_of('leased', kind), queue)
  call('ZREM', base .. 'leases', token)
  call('DEL', lease)
end

-- Move plays from a stream to the list of their queue.
local function move(kind, stream, queue, plays)
  if #plays == 0 then return end
  local first = call('INCRBY', base .. 'sequence', #plays) - #plays + 1
  push_chunks(list_of(kind, queue), chunks_of(plays, first))
  delete_plays(kind, stream, plays)
end

-- Move up to so many plays out of a stream; returns how many are moved. Those of batches were taken first.
local function move_stream(kind, queue, logs)
  local stream, moved = stream_of(kind, queue), 0
  if queue == 'p' then
    for _, consumer in ipairs(call('XINFO', 'CONSUMERS', stream, 'g')) do
      local batch = consumer[2]
      while is_type(batch, 'b') and moved < logs do
        local plays = plays_of(kind, stream, pending_ids(stream, batch, logs - moved))
        move(kind, stream, batch, plays)
        moved = moved + #plays
        if #plays == 0 then
          call('XGROUP', 'DELCONSUMER', stream, 'g', batch)
          if call('EXISTS', list_of(kind, batch)) == 1 and call('HEXISTS', key_of('logs', kind), batch) == 0 then
            remove_lost_plays(kind, batch)
          end
          break
        end
      end
      if moved >= logs then return moved end
    end
  end
  local plays = {}
  for i, entry in ipairs(call('XRANGE', stream, '-', '+', 'COUNT', logs - moved)) do
    plays[i] = play_of(kind, entry[1], entry[2])
  end
  move(kind, stream, queue, plays)
  if call('XLEN', stream) == 0 then call('DEL', stream) end
  return moved + #plays
end

-- Leases first: nothing may be pending any more when streams are moved.
local leases, ended = {}, 0
for _, kind in ipairs(KINDS) do
  local leased = call('HGETALL', key_of('leased', kind))
  for i = 1, #leased, 2 do
    if leased[i] ~= '' then leases[#leases + 1] = {kind, leased[i], leased[i + 1]} end
  end
end
if #leases == 0 then -- some are only here if a key is lost
  for _, token in ipairs(call('ZRANGE', base .. 'leases', 0, LEASES - 1)) do
    local lease = call('HMGET', lease_key(token), 'kind', 'queue')
    if lease[1] and lease[2] then
      leases[#leases + 1] = {lease[1], lease[2], token}
    elseif token ~= '' then
      call('ZREM', base .. 'leases', token)
    end
  end
end
for i = 1, math.min(#leases, LEASES) do
  end_lease(unpack(leases[i]))
  ended = i
end
if ended > 0 or cursor == '' then return {'ok', '0', 0} end

local pattern = string.gsub(base, '[%*%?%[%]%^\\]', '\\%0') .. 'queue:*'
local page, moved = call('SCAN', cursor, 'MATCH', pattern, 'COUNT', 500), 0
for _, key in ipairs(page[2]) do
  local kind, queue = string.match(string.sub(key, #base + 1), '^queue:(%a+):(.*)$')
  if kind and call('TYPE', key).ok == 'stream' then
    moved = moved + move_stream(kind, queue, limit - moved)
    if moved >= limit then return {'ok', cursor, 0} end
  end
end
if page[1] ~= '0' then return {'ok', page[1], 0} end
for _, kind in ipairs(KINDS) do call('DEL', key_of('in-doubt', kind)) end
for _, key in ipairs({spool, usage}) do call('HSET', key, 'layout', LAYOUT) end
return {'ok', '', 1}
