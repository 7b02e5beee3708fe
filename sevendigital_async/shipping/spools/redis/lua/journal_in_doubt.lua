#!lua flags=allow-oom
-- Write plays into the journal that the spool does not hold for the caller any more: the answer to a request whose lease
-- another worker has taken over, or plays of a cancelled put.
-- include: spool chunks
local kind = ARGV[3]
local request = ARGV[4]
local answer = ARGV[5]
local at = ARGV[6] -- microseconds
local plays = 7 -- ARGV[7] and on: for each chunk plays, bytes, in_doubt, and the packed plays

if spool_error then return {spool_error} end
local chunks = {}
for i = plays, #ARGV, 4 do
  chunks[#chunks + 1] = new_chunk(0, tonumber(ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), now, ARGV[i + 3])
end
add_to_journal(kind, 'in-doubt', request, answer, at, chunks)
return ok()
