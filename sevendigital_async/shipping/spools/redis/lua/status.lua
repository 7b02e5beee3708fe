#!lua flags=allow-oom
-- Answers with the number of workers, the bytes held, and when the oldest waiting play of each kind was accepted.
-- include: spool
local max_silence_ms = tonumber(ARGV[3]) -- of a worker that counts as alive
local kinds = 4 -- ARGV[4] and on

if read_error then return {read_error} end
local oldest = {}
for i = kinds, #ARGV do
  local queue, at = first_of(key_of('oldest', ARGV[i]))
  oldest[#oldest + 1] = queue and at or -1
end
local workers = call('ZCOUNT', base .. 'workers', now - max_silence_ms, '(+inf')
return {'ok', workers, number_in(base .. 'usage', 'bytes'), oldest}
