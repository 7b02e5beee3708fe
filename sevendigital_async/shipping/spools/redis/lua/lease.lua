#!lua flags=allow-oom
-- Lease the next batch that is due.
-- Answers with `lease`, the user, the attempt, 1 if the next batch is ready as well, and the chunks; with `none`; or with
-- `lost` and how many plays the next queue has lost.
-- include: spool chunks leases
local kind = ARGV[3]
local flush = ARGV[4] == '1'
local token = ARGV[5]
local max_logs = tonumber(ARGV[6])
local max_bytes = tonumber(ARGV[7])
local lease_ms = tonumber(ARGV[8])

if spool_error then return {spool_error} end

-- How many plays of a chunk fit into the rest of a batch; the first of a batch always does.
local function plays_that_fit(chunk, logs, bytes)
  if logs + chunk.logs <= max_logs and bytes + chunk.bytes <= max_bytes then return chunk.logs end
  local n = 0
  while n < chunk.logs and logs + n < max_logs do
    bytes = bytes + length_of_play(chunk, n)
    if bytes > max_bytes and logs + n > 0 then break end
    n = n + 1
  end
  return n
end

-- Move the next batch from one list to another; a chunk that exceeds it is cut.
local function take_batch(list, batch)
  local texts, logs, bytes = {}, 0, 0
  while logs < max_logs do
    local text = call('LMOVE', list, batch, 'LEFT', 'RIGHT')
    if not text then break end
    local chunk = chunk_of(text)
    local n = plays_that_fit(chunk, logs, bytes)
    local part = chunk
    if n < chunk.logs then
      part = n > 0 and cut(chunk, 0, n)
      call('RPOP', batch)
      call('LPUSH', list, cut(chunk, n, chunk.logs - n).text)
      if part then call('RPUSH', batch, part.text) end
    end
    if part then texts[#texts + 1], logs, bytes = part.text, logs + part.logs, bytes + part.bytes end
    if n < chunk.logs then break end
  end
  return texts, logs, bytes
end

if call('EXISTS', lease_key(token)) == 1 then return {'none'} end
promote_due(kind, flush)
local next_queue = call('LINDEX', key_of('ready', kind), 0)
if next_queue == '' then return {'none'} end
local list, queue = list_of(kind, next_queue), next_queue
if call('EXISTS', list) == 0 then return {'lost', remove_lost_plays(kind, queue)} end
if queue == 'p' then queue = string.format('b:%.0f', call('INCR', base .. 'sequence')) end
local batch = batch_of(kind, queue)
local texts, n, size = take_batch(list, batch)
local head = first_chunk(list)
if not head and n ~= number_in(key_of('logs', kind), next_queue) then
  put_back(list, chunks_in(batch))
  call('DEL', batch)
  return {'lost', remove_lost_plays(kind, next_queue)}
end
call('LPOP', key_of('ready', kind))
local attempt = number_in(key_of('attempts', kind), next_queue)
local left = add_to_queue(kind, next_queue, -n, -size)
if left > 0 then
  local accepted_at = head and head.accepted_at or now
  call('ZADD', key_of('oldest', kind), accepted_at, next_queue)
  if next_queue == 'p' then schedule(kind, 'p', accepted_at) end
end
call('HSET', key_of('leased', kind), queue, token)
call('HSET', lease_key(token), 'kind', kind, 'queue', queue, 'left', n, 'bytes', size, 'step', 0)
call('ZADD', base .. 'leases', now + lease_ms, token)
add_to_count(kind, 'waiting', -n)
add_to_count(kind, 'in_flight', n)
return {'lease', user_of(queue), attempt, call('LLEN', key_of('ready', kind)) > 1 and 1 or 0, unpack(texts)}
