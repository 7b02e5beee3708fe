#!lua flags=allow-oom
-- Note what is about to be sent. `lost` if the lease is over; `withdrawn` if a cancelled put has withdrawn plays of it:
-- then nothing of it may be sent, and its worker must abandon it.
-- include: spool
local token = ARGV[3]
local step = tonumber(ARGV[4])
local lease_ms = tonumber(ARGV[5])
local request = ARGV[6]
local suspect = ARGV[7] == '1'
local sending = ARGV[8] -- runs of sequences

if spool_error then return {spool_error} end
local lease = base .. 'lease:' .. token
if call('HEXISTS', lease, 'withdrawn') == 1 then return {'withdrawn'} end
if call('HEXISTS', lease, 'queue') == 0 then return {'lost'} end
if number_in(lease, 'step') < step then
  call('HSET', lease, 'step', step, 'request', request, 'sending', sending)
  if suspect then call('HSET', lease, 'suspect', 1) end
end
call('ZADD', base .. 'leases', now + lease_ms, token)
return {'ok'}
