-- Pause for so many microseconds; never shortens a pause.
local pause = KEYS[1]
local duration = tonumber(ARGV[1])

local time = redis.call('TIME')
local ends_at = time[1] * 1000000 + time[2] + duration
if tonumber(redis.call('GET', pause) or 0) >= ends_at then return 0 end
redis.call('SET', pause, string.format('%.0f', ends_at), 'PX', math.ceil(duration / 1000) + 1)
return 1
