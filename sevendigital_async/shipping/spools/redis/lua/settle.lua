#!lua flags=allow-oom
-- Settle plays of a lease. Answers with usage; `lost` if the lease is over, `missing` if their stream is lost.
-- include: spool leases
local token = ARGV[3]
local step = tonumber(ARGV[4])
local transition = ARGV[5] -- ack, release, bury, or what to do with plays in doubt: resend, hold, keep
local delay_ms = tonumber(ARGV[6])
local count_attempt = ARGV[7] == '1'
local request = ARGV[8] -- empty for that of the lease
local answer = ARGV[9]
local at = ARGV[10] -- microseconds
local number = tonumber(ARGV[11])
local plays = 12 -- ARGV[12] and on: ids, so many; then for `bury` reason and code of each

if spool_error then return {spool_error} end
local lease = lease_key(token)
if step <= number_in(lease, 'step') then return ok() end
local kind, queue = call('HGET', lease, 'kind'), call('HGET', lease, 'queue')
if not queue then return {'lost'} end
local ids, reasons, has_withdrawn = {}, {}, call('HEXISTS', lease, 'withdrawn') == 1
for i = 0, number - 1 do
  local id = ARGV[plays + i]
  if not has_withdrawn or call('HEXISTS', lease, '#' .. id) == 1 then
    ids[#ids + 1], reasons[#reasons + 1] = id, plays + number + 2 * i
  end
end
local n = #ids
if n > 0 and not entry_of(kind, queue, ids[1]) then return {'missing'} end
call('HSET', lease, 'step', step)
if n == 0 then return ok() end
if request == '' then request = call('HGET', lease, 'request') or '' end
if transition == 'keep' or transition == 'resend' or transition == 'hold' then
  mark_in_doubt(kind, queue, ids, request)
end
if transition == 'ack' then
  local flags, bodies = flags_and_bodies(kind, queue, ids)
  add_to_journal(kind, 'delivered', request, answer, at, flags, bodies)
  add_to_usage(-n, -remove_from_lease(token, ids))
  delete_plays(kind, queue, ids)
  add_to_count(kind, 'in_flight', -n)
  add_to_count(kind, 'delivered', n)
  call('HDEL', key_of('attempts', kind), queue)
elseif transition == 'bury' then
  for i, id in ipairs(ids) do
    add_dead_letter(kind, queue, id, 'buried', ARGV[reasons[i]], ARGV[reasons[i] + 1], at)
  end
  remove_from_lease(token, ids)
  delete_plays(kind, queue, ids)
  add_to_count(kind, 'in_flight', -n)
  add_to_count(kind, 'buried', n)
elseif transition == 'hold' then
  hold(token, kind, queue, ids)
elseif transition ~= 'keep' then
  return_to_queue(token, kind, queue, ids, delay_ms, count_attempt)
end
if number_in(lease, 'left') == 0 then close_lease(token, kind, queue) end
return ok()
