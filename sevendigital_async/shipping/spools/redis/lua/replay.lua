#!lua flags=allow-oom
-- Let dead letters wait for delivery again; answers with how many existed.
-- include: spool chunks
local ids = 3 -- ARGV[3] and on

if spool_error then return {spool_error} end
local done = 0
for i = ids, #ARGV do
  local letter = take_dead_letter(ARGV[i])
  if letter then
    local chunk = chunk_of_letter(letter)
    append_chunk(letter.kind, letter.user, 1, chunk.bytes, chunk.in_doubt, packed_of(chunk))
    add_to_count(letter.kind, 'waiting', 1)
    done = done + 1
  end
end
return {'ok', done}
