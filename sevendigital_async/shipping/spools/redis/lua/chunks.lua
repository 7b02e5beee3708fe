-- A chunk: consecutive plays of one queue as one element of its list; a head, and the plays as Python packs them
-- (spools/chunk_codec.py): the length of each, when each was played (seconds), and their bodies.

local HEAD = '<dI4I4Bd' -- sequence of the first play, plays, bytes of their bodies, 1 if in doubt, when accepted
local HEAD_BYTES = 25
local MAX_CHUNK = 500 -- plays

local function new_chunk(first, logs, bytes, in_doubt, accepted_at, packed)
  return {
    first = first, logs = logs, bytes = bytes, in_doubt = in_doubt, accepted_at = accepted_at,
    text = struct.pack(HEAD, first, logs, bytes, in_doubt, accepted_at) .. packed,
  }
end
local function chunk_of(text)
  local first, logs, bytes, in_doubt, accepted_at = struct.unpack(HEAD, text)
  return {first = first, logs = logs, bytes = bytes, in_doubt = in_doubt, accepted_at = accepted_at, text = text}
end
local function packed_of(chunk) return string.sub(chunk.text, HEAD_BYTES + 1) end
local function length_of_play(chunk, i) return (struct.unpack('<I4', chunk.text, HEAD_BYTES + 1 + 4 * i)) end

-- `logs` plays of a chunk, from the i-th on; the first is 0.
local function cut(chunk, i, logs)
  if i == 0 and logs == chunk.logs then return chunk end
  local skipped, bytes = 0, 0
  for at = 0, i - 1 do skipped = skipped + length_of_play(chunk, at) end
  for at = i, i + logs - 1 do bytes = bytes + length_of_play(chunk, at) end
  local times = HEAD_BYTES + 4 * chunk.logs
  local bodies = HEAD_BYTES + 12 * chunk.logs + skipped
  local packed = string.sub(chunk.text, HEAD_BYTES + 4 * i + 1, HEAD_BYTES + 4 * (i + logs))
    .. string.sub(chunk.text, times + 8 * i + 1, times + 8 * (i + logs))
    .. string.sub(chunk.text, bodies + 1, bodies + bytes)
  return new_chunk(chunk.first + i, logs, bytes, chunk.in_doubt, chunk.accepted_at, packed)
end

-- Visit the plays of a chunk: body, and when it was played, in microseconds.
local function for_each_play(chunk, visit)
  local at = HEAD_BYTES + 12 * chunk.logs
  for i = 0, chunk.logs - 1 do
    local length = length_of_play(chunk, i)
    local played_at = struct.unpack('<d', chunk.text, HEAD_BYTES + 4 * chunk.logs + 8 * i + 1)
    visit(string.sub(chunk.text, at + 1, at + length), string.format('%.0f', played_at * 1e6), chunk.first + i)
    at = at + length
  end
end

-- The packed form of a single play.
local function pack_play(body, played_at)
  return struct.pack('<I4d', #body, tonumber(played_at) / 1e6) .. body
end
local function chunk_of_letter(letter)
  return new_chunk(0, 1, #letter.body, tonumber(letter.in_doubt), now, pack_play(letter.body, letter.played_at))
end

-- Runs of sequences, as `first:count,first:count`, in order.
local function runs_of(text)
  local runs = {}
  for first, count in string.gmatch(text, '(%d+):(%d+)') do
    runs[#runs + 1] = {first = tonumber(first), stop = first + count}
  end
  return runs
end

-- Divide chunks, in order, into the plays that are in runs, and the others.
local function divide(chunks, runs)
  local inside, outside, r = {}, {}, 1
  for _, chunk in ipairs(chunks) do
    local at, stop = chunk.first, chunk.first + chunk.logs
    while at < stop do
      while runs[r] and runs[r].stop <= at do r = r + 1 end
      local run = runs[r]
      if not run or run.first >= stop then
        outside[#outside + 1] = cut(chunk, at - chunk.first, stop - at)
        break
      end
      if run.first > at then
        outside[#outside + 1] = cut(chunk, at - chunk.first, run.first - at)
        at = run.first
      end
      local ends = math.min(stop, run.stop)
      inside[#inside + 1] = cut(chunk, at - chunk.first, ends - at)
      at = ends
    end
  end
  return inside, outside
end

local function total_of(chunks)
  local logs, bytes = 0, 0
  for _, chunk in ipairs(chunks) do logs, bytes = logs + chunk.logs, bytes + chunk.bytes end
  return logs, bytes
end

-- Visit the chunks of a list, oldest first, until `visit` returns true: few of them at once, for they may be large.
local function for_each_chunk(list, visit)
  local from, page = 0, 1
  while true do
    local texts = call('LRANGE', list, from, from + page - 1)
    for _, text in ipairs(texts) do
      if visit(chunk_of(text)) then return end
    end
    if #texts < page then return end
    from, page = from + page, math.min(64, page * 2)
  end
end
local function chunks_in(list)
  local chunks = {}
  for i, text in ipairs(call('LRANGE', list, 0, -1)) do chunks[i] = chunk_of(text) end
  return chunks
end
local function first_chunk(list)
  local text = call('LINDEX', list, 0)
  return text and chunk_of(text)
end

local function push_chunks(list, chunks)
  for _, chunk in ipairs(chunks) do call('RPUSH', list, chunk.text) end
end
local function replace_chunks(list, chunks)
  call('DEL', list)
  push_chunks(list, chunks)
end
local function by_sequence(one, other) return one.first < other.first end

-- Put chunks back into a list, before the later ones.
local function put_back(list, chunks)
  if #chunks == 0 then return end
  local all, last = {unpack(chunks)}, chunks[#chunks].first
  while true do
    local head = first_chunk(list)
    if not head or head.first > last then break end
    all[#all + 1] = head
    call('LPOP', list)
  end
  table.sort(all, by_sequence)
  for i = #all, 1, -1 do call('LPUSH', list, all[i].text) end
end

-- Add a chunk to the queue of a user.
local function append_chunk(kind, user, logs, bytes, in_doubt, packed)
  local queue = queue_of(user)
  local first = call('INCRBY', base .. 'sequence', logs) - logs + 1
  call('RPUSH', list_of(kind, queue), new_chunk(first, logs, bytes, in_doubt, now, packed).text)
  local waiting, size = add_to_queue(kind, queue, logs, bytes)
  if waiting == logs then call('ZADD', key_of('oldest', kind), now, queue) end
  if waiting == logs and call('HEXISTS', key_of('leased', kind), queue) == 0 then
    schedule(kind, queue, now)
  elseif fills_batch(kind, waiting, size) and call('ZSCORE', key_of('lingering', kind), queue) then
    schedule(kind, queue, now)
  end
end

-- Entries of the journal hold chunks, field `c`; those of layout 2 hold bodies, field `b`, and a flag for each in `d`.
local function add_to_journal(kind, outcome, request, answer, at, chunks)
  if #chunks == 0 then return end
  local entry = {'k', kind, 'o', outcome, 'r', request, 'w', answer, 't', at, 'd', ''}
  for _, chunk in ipairs(chunks) do entry[#entry + 1] = 'c' entry[#entry + 1] = chunk.text end
  call('XADD', base .. 'journal', '*', unpack(entry))
end
local function journal_entry_of(fields)
  local logs = 0
  for i = 13, #fields, 2 do logs = logs + (fields[i] == 'c' and chunk_of(fields[i + 1]).logs or 1) end
  return {kind = fields[2], outcome = fields[4], logs = logs}
end
