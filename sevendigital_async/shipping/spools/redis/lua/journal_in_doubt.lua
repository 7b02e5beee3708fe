#!lua flags=allow-oom
-- Write plays into the journal that the spool does not hold for the caller any more: the answer to a request whose lease
-- another worker has taken over, or plays of a cancelled put.
-- include: spool
local kind = ARGV[3]
local request = ARGV[4]
local answer = ARGV[5]
local at = ARGV[6] -- microseconds
local plays = 7 -- ARGV[7] and on: in_doubt, body

if spool_error then return {spool_error} end
local flags, bodies = {}, {}
for i = plays, #ARGV, 2 do flags[#flags + 1] = ARGV[i] bodies[#bodies + 1] = ARGV[i + 1] end
add_to_journal(kind, 'in-doubt', request, answer, at, table.concat(flags), bodies)
return ok()
