#!lua flags=allow-oom
-- Answers with the milliseconds since the oldest waiting play was accepted; -1 when nothing waits.
-- include: spool
local kind = ARGV[3]

if read_error then return {read_error} end
local queue, at = first_of(key_of('oldest', kind))
return {'ok', queue and math.max(0, now - at) or -1}
