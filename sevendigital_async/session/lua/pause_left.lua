-- Answers with the microseconds that are left of a pause.
local pause = KEYS[1]

local time = redis.call('TIME')
return math.max(0, tonumber(redis.call('GET', pause) or 0) - (time[1] * 1000000 + time[2]))
