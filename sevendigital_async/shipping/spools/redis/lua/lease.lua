#!lua flags=allow-oom
-- Lease the next batch that is due.
-- Answers with `lease`, the user, the attempt, and id, body, played_at and in_doubt of each play; with `none`; or with
-- `lost` and how many plays the next queue has lost.
-- include: spool leases
local kind = ARGV[3]
local flush = ARGV[4] == '1'
local token = ARGV[5]
local max_logs = tonumber(ARGV[6])
local max_bytes = tonumber(ARGV[7])
local lease_ms = tonumber(ARGV[8])

if spool_error then return {spool_error} end
if call('EXISTS', lease_key(token)) == 1 then return {'none'} end
promote_due(kind, flush)
local queue = call('LINDEX', key_of('ready', kind), 0)
if queue == '' then return {'none'} end
local stream, entries = stream_of(kind, queue), {}
if call('EXISTS', stream) == 0 then
  return {'lost', remove_lost_plays(kind, queue)}
elseif queue == 'p' then
  entries = call('XRANGE', stream, '(' .. last_delivered_id(stream), '+', 'COUNT', max_logs)
else
  local consumer = consumer_of(queue)
  entries = call('XREADGROUP', 'GROUP', 'g', consumer, 'COUNT', max_logs, 'STREAMS', stream, '0')[1][2]
  if #entries < max_logs and not is_type(queue, 'b') then
    local new = call('XREADGROUP', 'GROUP', 'g', consumer, 'COUNT', max_logs - #entries, 'STREAMS', stream, '>')
    for _, entry in ipairs(new and new[1][2] or {}) do entries[#entries + 1] = entry end
  end
end
if #entries == 0 or (#entries < max_logs and #entries ~= number_in(key_of('logs', kind), queue)) then
  return {'lost', remove_lost_plays(kind, queue)}
end
call('LPOP', key_of('ready', kind))
local size, n = 0, 0
for _, entry in ipairs(entries) do
  if n > 0 and size + #entry[2][BODY] > max_bytes then break end
  size, n = size + #entry[2][BODY], n + 1
end
local user, attempt = user_of(queue), number_in(key_of('attempts', kind), queue)
local left = add_to_queue(kind, queue, -n, -size)
if queue == 'p' then
  local batch = string.format('b:%.0f', call('INCR', base .. 'sequence'))
  call('XREADGROUP', 'GROUP', 'g', batch, 'COUNT', n, 'STREAMS', stream, '>')
  if left > 0 then schedule(kind, 'p') end
  if left > 0 then call('ZADD', key_of('oldest', kind), first_accepted_at(kind, 'p'), 'p') end
  queue = batch
elseif left > 0 then
  local next_one = entries[n + 1] or call('XRANGE', stream, '(' .. last_delivered_id(stream), '+', 'COUNT', 1)[1]
  call('ZADD', key_of('oldest', kind), next_one and next_one[2][ACCEPTED_AT] or now, queue)
end
call('HSET', key_of('leased', kind), queue, token)
local lease, answer = {'kind', kind, 'queue', queue, 'left', n, 'step', 0}, {'lease', user, attempt}
for i = 1, n do
  local id, play = entries[i][1], entries[i][2]
  lease[#lease + 1] = '#' .. id
  lease[#lease + 1] = #play[BODY]
  answer[#answer + 1] = id
  answer[#answer + 1] = play[BODY]
  answer[#answer + 1] = play[PLAYED_AT]
  answer[#answer + 1] = call('SISMEMBER', key_of('in-doubt', kind), id)
end
call('HSET', lease_key(token), unpack(lease))
call('ZADD', base .. 'leases', now + lease_ms, token)
add_to_count(kind, 'waiting', -n)
add_to_count(kind, 'in_flight', n)
return answer
