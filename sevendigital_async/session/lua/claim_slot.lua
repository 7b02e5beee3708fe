-- Claim a slot. Answers with `claimed`; or with `busy`, `paused` or `unknown` and the microseconds to wait.
-- Slots are a sorted set, by the time (microseconds) at which each is free.
local slots = KEYS[1]
local server = KEYS[2] -- run id of the Redis that knows what was sent
local account_pause = KEYS[3]
local class_pause = KEYS[4]
local token = ARGV[1]
local count = tonumber(ARGV[2])
local lease = tonumber(ARGV[3])
local unknown = tonumber(ARGV[4]) -- for which all slots are busy if Redis may not know what was sent
local longest = tonumber(ARGV[5]) -- for which a slot can be busy

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
for _, key in ipairs({account_pause, class_pause}) do
  local left = tonumber(redis.call('GET', key) or 0) - now
  if left > 0 then return {'paused', left} end
end
-- A server that has lost its data, has taken over from another, or whose clock went back, may not know what was sent a
-- moment ago.
local ok, info = pcall(redis.call, 'INFO', 'server')
local run_id = ok and string.match(info, 'run_id:(%x+)') or 'unknown'
local first = redis.call('ZRANGE', slots, 0, 0, 'WITHSCORES')
local left = first[2] and tonumber(first[2]) - now
if redis.call('ZCARD', slots) ~= count or redis.call('GET', server) ~= run_id or left > longest then
  redis.call('DEL', slots)
  for i = 1, count do redis.call('ZADD', slots, now + unknown, token .. ':' .. i) end
  redis.call('SET', server, run_id)
  return {'unknown', unknown}
end
if redis.call('ZSCORE', slots, token) then -- claimed before, and the answer was lost
  redis.call('ZADD', slots, now + lease, token)
  return {'claimed', 0}
end
if left > 0 then return {'busy', left} end
redis.call('ZREM', slots, first[1])
redis.call('ZADD', slots, now + lease, token)
return {'claimed', 0}
