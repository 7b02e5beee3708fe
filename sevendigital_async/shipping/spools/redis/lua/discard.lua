#!lua flags=allow-oom
-- Delete dead letters for good: they stay counted as buried, and the journal says so. Answers with how many existed.
-- include: spool chunks
local ids = 3 -- ARGV[3] and on

if spool_error then return {spool_error} end
local done = 0
for i = ids, #ARGV do
  local letter = take_dead_letter(ARGV[i])
  if letter then
    add_to_journal(letter.kind, 'discarded', '', letter.reason, timestamp, {chunk_of_letter(letter)})
    add_to_count(letter.kind, 'buried', 1)
    add_to_usage(-1, -#letter.body)
    done = done + 1
  end
end
return {'ok', done}
