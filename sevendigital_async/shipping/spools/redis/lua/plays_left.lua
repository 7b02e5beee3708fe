#!lua flags=allow-oom
-- Answers with how many plays up to a watermark are not settled, without those that may be left out, and with them; -1
-- if the watermark is lost. It is deleted when none are left.
-- include: spool chunks
local kind = ARGV[3]
local watermark = ARGV[4]
local max_delay_ms = tonumber(ARGV[5]) -- leave out plays whose queue is delayed for longer; -1 to count all

if spool_error then return {spool_error} end
local key, last = key_of('watermarks', kind), tonumber(string.match(watermark, '^%d+'))
local left = tonumber(call('HGET', key, watermark) or -1)
-- Plays that Redis has lost are never settled.
left = math.min(left, number_in(key_of('counts', kind), 'waiting') + number_in(key_of('counts', kind), 'in_flight'))
if left == 0 then call('HDEL', key, watermark) end
local total = left
if left <= 0 or max_delay_ms < 0 then return {'ok', left, total} end
call('EXPIRE', key, 86400)
for _, queue in ipairs(call('ZRANGEBYSCORE', key_of('delayed', kind), now + max_delay_ms, '+inf', 'LIMIT', 0, 10000)) do
  if left > 0 then
    for_each_chunk(list_of(kind, queue), function(chunk)
      left = left - math.max(0, math.min(chunk.logs, last - chunk.first + 1))
      return chunk.first > last
    end)
  end
end
return {'ok', math.max(0, left), total}
