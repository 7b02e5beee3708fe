#!lua flags=allow-oom
-- Answers with the counts of each kind.
-- include: spool
local number_of_kinds = tonumber(ARGV[3])
local kinds_and_states = 4 -- ARGV[4] and on: kinds, so many, then the names of the counts

if read_error then return {read_error} end
local answer = {'ok'}
for i = kinds_and_states, kinds_and_states + number_of_kinds - 1 do
  local states = {unpack(ARGV, kinds_and_states + number_of_kinds)}
  answer[#answer + 1] = call('HMGET', key_of('counts', ARGV[i]), unpack(states))
end
return answer
