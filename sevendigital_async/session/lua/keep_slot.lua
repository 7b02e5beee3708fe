-- Keep a slot for so many microseconds from now on; answers with 0 if it is not held any more.
local slots = KEYS[1]
local token = ARGV[1]
local lease = tonumber(ARGV[2])

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if not redis.call('ZSCORE', slots, token) then return 0 end
redis.call('ZADD', slots, now + lease, token)
return 1
