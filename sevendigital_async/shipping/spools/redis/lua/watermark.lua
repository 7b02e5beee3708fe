#!lua flags=allow-oom
-- Note the sequence reached, and how many plays up to it are not settled; settled ones are counted down from there.
-- Answers with that number and the watermark. Forgotten watermarks of dead workers are removed.
-- include: spool
local kind = ARGV[3]
local name = ARGV[4]

if spool_error then return {spool_error} end
local key, watermarks = key_of('watermarks', kind), call('HGETALL', key_of('watermarks', kind))
for i = 1, #watermarks, 2 do
  local made_at = tonumber(string.match(watermarks[i], ':(%d+)$'))
  if tonumber(watermarks[i + 1]) <= 0 and made_at < now - 600000 then call('HDEL', key, watermarks[i]) end
end
local left = number_in(key_of('counts', kind), 'waiting') + number_in(key_of('counts', kind), 'in_flight')
local watermark = (call('GET', base .. 'sequence') or '0') .. ':' .. name .. ':' .. string.format('%.0f', now)
if left > 0 then
  call('HSET', key, watermark, left)
  call('EXPIRE', key, 86400)
end
return {'ok', left, watermark}
