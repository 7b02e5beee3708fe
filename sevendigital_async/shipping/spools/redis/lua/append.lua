#!lua
-- Accept groups of chunks in order, until one does not fit or does not follow the checkpoint that is kept.
-- Answers with usage, how many groups were accepted, whether one did not follow its checkpoint (0 or 1), the sequence of
-- the first play, and for each accepted group with a checkpoint the position that it replaced: '=' and the position, or
-- nothing. A repeated step gets the first answer again and changes nothing.
-- include: spool chunks
local worker = ARGV[3]
local step = tonumber(ARGV[4])
local max_logs = tonumber(ARGV[5])
local max_bytes = tonumber(ARGV[6])
local groups = 7 -- ARGV[7] and on: kind, source, position, '=' and the position before or nothing, number of plays, their
-- bytes, number of chunks, and for each chunk user, plays, bytes, in_doubt, and the packed plays

if spool_error then return {spool_error} end
local appends, checkpoints = base .. 'appends', base .. 'checkpoints'
local done = call('HGET', appends, worker)
if done then
  local last_step, accepted, conflicts, first = string.match(done, '(%d+):(%d+):?(%d*):?(%d*)')
  if tonumber(last_step) >= step then
    local answer, replaced = ok(), call('HGET', appends, worker .. ':answer')
    answer[4], answer[5], answer[6] = tonumber(accepted), tonumber(conflicts) or 0, tonumber(first) or 0
    answer[7] = replaced and cjson.decode(replaced) or {}
    return answer
  end
end
local first_sequence, replaced = tonumber(call('GET', base .. 'sequence') or 0) + 1, {}
local logs, bytes = number_in(base .. 'usage', 'logs'), number_in(base .. 'usage', 'bytes')
local i, accepted, conflicts = groups, 0, 0
while i <= #ARGV do
  local kind, source, position, before = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local n, size, chunks = tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5]), tonumber(ARGV[i + 6])
  local kept = before ~= '' and call('HGET', checkpoints, source)
  if kept and '=' .. kept ~= before then conflicts = 1 break end
  if logs + n > max_logs or bytes + size > max_bytes then break end
  local first = i + 7
  i = first + 5 * chunks
  for at = first, i - 1, 5 do
    append_chunk(kind, ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), ARGV[at + 4])
  end
  if source ~= '' then
    local old = call('HGET', checkpoints, source)
    replaced[#replaced + 1] = old and '=' .. old or ''
    call('HSET', checkpoints, source, position)
  end
  add_to_count(kind, 'put', n)
  add_to_count(kind, 'waiting', n)
  logs, bytes = add_to_usage(n, size)
  accepted = accepted + 1
end
call('HSET', appends, worker, string.format('%d:%d:%d:%.0f', step, accepted, conflicts, first_sequence))
if replaced[1] then call('HSET', appends, worker .. ':answer', cjson.encode(replaced)) end
return {'ok', logs, bytes, accepted, conflicts, first_sequence, replaced}
