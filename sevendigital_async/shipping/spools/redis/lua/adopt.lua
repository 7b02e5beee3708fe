#!lua flags=allow-oom
-- After a loss: plays that a worker has leased, and Redis has not, become a lease again.
-- Answers with the sequence of the first play (-1 if all of them still exist), and how many other plays of their queue
-- are lost.
-- include: spool leases
local token = ARGV[3]
local kind = ARGV[4]
local user = ARGV[5]
local step = ARGV[6]
local is_sending = ARGV[7] == '1'
local suspect = ARGV[8]
local request = ARGV[9]
local lease_ms = tonumber(ARGV[10])
local known_id = ARGV[11] -- of one of the plays
local plays = 12 -- ARGV[12] and on: played_at, in_doubt, body

if spool_error then return {spool_error} end
local lease = lease_key(token)
local old, first_sequence = call('HGET', lease, 'queue'), call('HGET', lease, 'first')
if old and first_sequence and entry_of(kind, old, first_sequence .. '-0') then
  return {'ok', tonumber(first_sequence), 0}
end
if old and entry_of(kind, old, known_id) then return {'ok', -1, 0} end
local others = old and select(2, remove_lost_lease(token, kind, old)) or 0
local queue, ids, bytes = 'a:' .. token .. ':' .. user, {}, 0
for i = plays, #ARGV, 3 do
  local played_at, in_doubt, body = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local id = add_entry(kind, queue, body, played_at, in_doubt == '1')
  ids[#ids + 1] = id
  bytes = bytes + #body
  add_to_count(kind, 'in_doubt', tonumber(in_doubt))
  call('HSET', lease, '#' .. id, #body)
end
call('XREADGROUP', 'GROUP', 'g', 'q', 'STREAMS', stream_of(kind, queue), '>')
local first = sequence_of(ids[1])
call('HSET', lease, 'kind', kind, 'queue', queue, 'left', #ids, 'step', step, 'first', string.match(ids[1], '^%d+'),
  'request', request, 'suspect', suspect, 'sending', is_sending and table.concat(ids, ',') or '')
call('HSET', key_of('leased', kind), queue, token)
call('ZADD', base .. 'leases', now + lease_ms, token)
add_to_usage(#ids, bytes)
add_to_count(kind, 'put', #ids)
add_to_count(kind, 'in_flight', #ids)
return {'ok', first, others}
