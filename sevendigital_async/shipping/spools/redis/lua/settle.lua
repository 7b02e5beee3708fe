#!lua flags=allow-oom
-- Settle plays of a lease. Answers with usage; `lost` if the lease is over, `missing` if its plays are lost.
-- include: spool chunks leases
local token = ARGV[3]
local step = tonumber(ARGV[4])
local transition = ARGV[5] -- ack, release, bury, or what to do with plays in doubt: resend, hold, keep
local delay_ms = tonumber(ARGV[6])
local count_attempt = ARGV[7] == '1'
local request = ARGV[8] -- empty for that of the lease
local answer = ARGV[9]
local at = ARGV[10] -- microseconds
local plays = ARGV[11] -- runs of sequences
local reasons = 12 -- ARGV[12] and on: for `bury` sequence, reason and code of each play

if spool_error then return {spool_error} end
local lease = lease_key(token)
if step <= number_in(lease, 'step') then return ok() end
local values = call('HMGET', lease, 'kind', 'queue', 'left', 'request')
local kind, queue = values[1], values[2]
if not queue then return {'lost'} end
local chunks = chunks_in(batch_of(kind, queue))
if #chunks == 0 and tonumber(values[3]) > 0 then return {'missing'} end
-- Plays that a cancelled put has withdrawn are not there any more.
local settled, kept = divide(chunks, runs_of(plays))
local n, size = total_of(settled)
call('HSET', lease, 'step', step)
if n == 0 then return ok() end
if request == '' then request = values[4] or '' end
if transition == 'keep' or transition == 'resend' or transition == 'hold' then
  settled = mark_in_doubt(kind, settled, request)
end
if transition == 'keep' then
  for _, chunk in ipairs(settled) do kept[#kept + 1] = chunk end
  table.sort(kept, by_sequence)
  replace_chunks(batch_of(kind, queue), kept)
  return ok()
end
remove_from_lease(token, kind, queue, settled, kept)
if transition == 'ack' then
  add_to_journal(kind, 'delivered', request, answer, at, settled)
  count_down_watermarks(kind, settled)
  add_to_usage(-n, -size)
  add_to_count(kind, 'in_flight', -n)
  add_to_count(kind, 'delivered', n)
  call('HDEL', key_of('attempts', kind), queue)
elseif transition == 'bury' then
  local places = {}
  for i = reasons, #ARGV, 3 do places[tonumber(ARGV[i])] = i end
  add_dead_letters(kind, queue, 'buried', settled, at, function(sequence)
    return ARGV[places[sequence] + 1], ARGV[places[sequence] + 2]
  end)
  add_to_count(kind, 'in_flight', -n)
  add_to_count(kind, 'buried', n)
elseif transition == 'hold' then
  hold(kind, queue, settled)
else
  return_to_queue(token, kind, queue, settled, delay_ms, count_attempt)
end
if #kept == 0 then close_lease(token, kind, queue) end
return ok()
