#!lua flags=allow-oom
-- After a loss: plays that Redis has lost and a worker still holds become a lease again.
-- Answers with the sequence of the first play (-1 if all of them still exist), and how many other plays of their queue
-- are lost.
-- include: spool chunks leases
local token = ARGV[3]
local kind = ARGV[4]
local user = ARGV[5]
local step = ARGV[6]
local is_sending = ARGV[7] == '1'
local suspect = ARGV[8]
local request = ARGV[9]
local lease_ms = tonumber(ARGV[10])
local plays = 11 -- ARGV[11] and on: for each chunk plays, bytes, in_doubt, and the packed plays

if spool_error then return {spool_error} end
local lease = lease_key(token)
local old = call('HMGET', lease, 'queue', 'first', 'adopted')
if old[1] and call('EXISTS', batch_of(kind, old[1])) == 1 then
  return {'ok', old[3] == step and tonumber(old[2]) or -1, 0} -- adopted before, or not lost
end
if not old[1] and call('EXISTS', lease) == 1 then return {'ok', -1, 0} end -- a late copy: the lease is over
local others = old[1] and select(2, remove_lost_lease(token, kind, old[1])) or 0
local queue, logs, bytes = 'a:' .. token .. ':' .. user, 0, 0
local sequence = call('GET', base .. 'sequence') + 1
for i = plays, #ARGV, 4 do
  local n, size, in_doubt = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local chunk = new_chunk(sequence + logs, n, size, in_doubt, now, ARGV[i + 3])
  call('RPUSH', batch_of(kind, queue), chunk.text)
  logs, bytes = logs + n, bytes + size
  add_to_count(kind, 'in_doubt', in_doubt * n)
end
call('INCRBY', base .. 'sequence', logs)
local all = string.format('%.0f:%.0f', sequence, logs)
call('HSET', lease, 'kind', kind, 'queue', queue, 'left', logs, 'bytes', bytes, 'step', step, 'adopted', step,
  'first', string.format('%.0f', sequence), 'request', request, 'suspect', suspect, 'sending', is_sending and all or '')
call('HSET', key_of('leased', kind), queue, token)
call('ZADD', base .. 'leases', now + lease_ms, token)
add_to_usage(logs, bytes)
add_to_count(kind, 'put', logs)
add_to_count(kind, 'in_flight', logs)
return {'ok', sequence, others}
