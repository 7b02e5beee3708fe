#!lua flags=allow-oom
-- Create the spool, or rebuild keys of it that something has deleted or evicted: the lists of queues and batches hold
-- the plays; everything else about a queue follows from them and from the leases.
-- Answers with id and dialect of the spool, the names of the keys that were missing, how many plays are lost by kind, and
-- how many are in doubt because of it; `foreign` with the name of a key, its type, and the type that it should have; `old` with
-- the dialect, if migrate.lua must run first; or `outdated`.
-- include: spool chunks leases
local new_id = ARGV[3]
local dialect = ARGV[4]
local known_id = ARGV[5] -- of the spool that the caller has known so far
local lease_ms = tonumber(ARGV[6]) -- for which a lease is kept whose time is lost; its worker prolongs it before
local in_doubt_policy = ARGV[7]
local rules = 8 -- ARGV[8] and on: field and value

local spool, usage = base .. 'spool', base .. 'usage'
local function kept(field, fallback)
  return call('HGET', spool, field) or call('HGET', usage, field) or fallback
end

-- The spool of an older release. Its key `aside` was a hash; ours, a string, stops that release if all else is lost.
local aside = call('TYPE', base .. 'aside').ok
if call('EXISTS', base .. 'room') == 1 or (aside ~= 'none' and aside ~= 'string') then return {'outdated'} end
if existing > 0 then
  local layout = kept('layout', call('EXISTS', base .. 'in-doubt:preview') == 1 and OLD_LAYOUT or LAYOUT)
  if identity[1] and not identity[4] then return {'outdated'} end
  if layout == OLD_LAYOUT or layout == MIGRATING then return {'old', kept('dialect', dialect)} end
  if layout ~= LAYOUT then return {'outdated'} end
end

-- Visit all entries of a stream.
local function for_each_entry(stream, visit)
  local from, page_size = '-', 32 -- an entry of the journal may be large
  while true do
    local page = call('XRANGE', stream, from, '+', 'COUNT', page_size)
    for _, entry in ipairs(page) do visit(entry[2]) end
    if #page < page_size then return end
    from = '(' .. page[#page][1]
  end
end

-- A key of another type: another program uses these names.
for i, key in ipairs(keys) do
  local found = call('TYPE', key).ok
  if found ~= 'none' and found ~= types[i] then return {'foreign', key, found, types[i]} end
end

local missing, is_missing = {}, {}
for i, name in ipairs(names) do
  local key, type = keys[i], types[i]
  if call('EXISTS', key) == 0 then
    missing[#missing + 1], is_missing[name] = name, true
    if type == 'hash' then call('HSET', key, '', 0) end
    if type == 'zset' then call('ZADD', key, '+inf', '') end
    if type == 'list' then call('RPUSH', key, '') end
    if type == 'string' then call('SET', key, 0) end
    if type == 'stream' then call('XGROUP', 'CREATE', key, 'g', '0', 'MKSTREAM') end
  end
end

-- Identity and dialect of the spool follow from nothing else: they are kept twice.
local id = kept('id', existing > 0 and known_id ~= '' and known_id or new_id)
local kept_dialect, kept_behind = kept('dialect', dialect), kept('behind', false)
for _, key in ipairs({spool, usage}) do
  call('HSET', key, 'id', id, 'dialect', kept_dialect, 'layout', LAYOUT)
  if kept_behind then call('HSET', key, 'behind', kept_behind) end
end
if kept_dialect == dialect then
  for i = rules, #ARGV, 2 do call('HSET', spool, ARGV[i], ARGV[i + 1]) end
end
local lost, in_doubt = {0, 0, 0}, 0
if existing == 0 or #missing == 0 then return {'ok', id, kept_dialect, {}, lost, 0} end

-- What exists: lists of queues and of batches, and leases.
local queues, tokens, cursor = {}, {}, '0'
for _, kind in ipairs(KINDS) do queues[kind] = {} end
local pattern = string.gsub(base, '[%*%?%[%]%^\\]', '\\%0') .. '*'
repeat
  local page = call('SCAN', cursor, 'MATCH', pattern, 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    local rest = string.sub(key, #base + 1)
    local kind, queue = string.match(rest, '^plays:(%a+):(.*)$')
    if not kind then kind, queue = string.match(rest, '^batch:(%a+):(.*)$') end
    if kind and queues[kind] then queues[kind][queue] = true end
    local token = string.match(rest, '^lease:(.*)$')
    if token and call('HEXISTS', key, 'queue') == 1 then tokens[token] = true end
  end
until cursor == '0'

-- No number of a play may be used twice.
if is_missing.sequence then
  local highest = 0
  for _, kind in ipairs(KINDS) do
    for queue in pairs(queues[kind]) do
      for _, list in ipairs({list_of(kind, queue), batch_of(kind, queue)}) do
        local last = call('LINDEX', list, -1)
        if last then highest = math.max(highest, chunk_of(last).first + chunk_of(last).logs) end
      end
    end
  end
  call('SET', base .. 'sequence', string.format('%.0f', highest + 1000))
end

-- Leases, by queue and by time. The worker of each gives a heartbeat before its time is up.
local in_flight, leased_bytes = {}, 0
for _, kind in ipairs(KINDS) do
  in_flight[kind] = 0
  local leased = call('HGETALL', key_of('leased', kind))
  for i = 1, #leased, 2 do
    if leased[i] ~= '' and not tokens[leased[i + 1]] then call('HDEL', key_of('leased', kind), leased[i]) end
  end
end
for _, token in ipairs(call('ZRANGE', base .. 'leases', 0, -1)) do
  if token ~= '' and not tokens[token] then call('ZREM', base .. 'leases', token) end
end
for token in pairs(tokens) do
  local lease = lease_key(token)
  local kind, queue = call('HGET', lease, 'kind'), call('HGET', lease, 'queue')
  call('ZADD', base .. 'leases', 'NX', now + lease_ms, token)
  call('HSET', key_of('leased', kind), queue, token)
  in_flight[kind] = in_flight[kind] + number_in(lease, 'left')
  leased_bytes = leased_bytes + number_in(lease, 'bytes')
end

-- Queues.
local logs, bytes, waiting, marked = 0, leased_bytes, {}, {}
for _, kind in ipairs(KINDS) do
  local scheduled = {}
  for _, name in ipairs({'lingering', 'delayed'}) do
    for _, queue in ipairs(call('ZRANGE', key_of(name, kind), 0, -1)) do scheduled[queue] = true end
  end
  for _, queue in ipairs(call('LRANGE', key_of('ready', kind), 0, -1)) do scheduled[queue] = true end
  local known = queues[kind]
  for _, queue in ipairs(call('HKEYS', key_of('logs', kind))) do known[queue] = true end
  for queue in pairs(scheduled) do known[queue] = true end
  known[''] = nil
  waiting[kind], marked[kind] = 0, 0
  for queue in pairs(known) do
    if call('HEXISTS', key_of('leased', kind), queue) == 0 then
      in_doubt = in_doubt + recover_plays_of_lost_lease(kind, queue, in_doubt_policy)
    end
    local _, _, in_doubt_in_queue = rebuild_queue(kind, queue, scheduled[queue] or false)
    waiting[kind] = waiting[kind] + number_in(key_of('logs', kind), queue)
    marked[kind] = marked[kind] + in_doubt_in_queue
    for _, chunk in ipairs(chunks_in(batch_of(kind, queue))) do
      marked[kind] = marked[kind] + chunk.in_doubt * chunk.logs
    end
    bytes = bytes + number_in(key_of('bytes', kind), queue)
  end
end

-- Dead letters.
local dead_letters, dead_logs, dead_bytes = {}, 0, 0
for _, kind in ipairs(KINDS) do dead_letters[kind] = {held = 0, buried = 0} end
for_each_entry(base .. 'dead-letters', function(fields)
  local letter = dead_letter_of(fields)
  local by_state = dead_letters[letter.kind]
  by_state[letter.state] = by_state[letter.state] + 1
  dead_logs, dead_bytes = dead_logs + 1, dead_bytes + #letter.body
end)

-- Counts.
for at, kind in ipairs(KINDS) do
  local counts, held = key_of('counts', kind), dead_letters[kind].held
  call('HSET', counts, 'waiting', waiting[kind], 'in_flight', in_flight[kind], 'held', held)
  if is_missing['counts:' .. kind] then
    local delivered, buried = 0, dead_letters[kind].buried
    for_each_entry(base .. 'journal', function(fields)
      local entry = journal_entry_of(fields)
      if entry.kind == kind and entry.outcome == 'delivered' then delivered = delivered + entry.logs end
      if entry.kind == kind and entry.outcome == 'discarded' then buried = buried + 1 end
    end)
    call('HSET', counts, 'delivered', delivered, 'buried', buried, 'in_doubt', marked[kind])
  end
  local sum = waiting[kind] + in_flight[kind] + held + number_in(counts, 'delivered') + number_in(counts, 'buried')
  if not is_missing['counts:' .. kind] then lost[at] = number_in(counts, 'put') - sum end
  call('HSET', counts, 'put', sum)
  logs = logs + waiting[kind] + in_flight[kind]
end
-- If the counts of a kind are lost, too, the usage of all kinds together shows how many plays are missing.
logs = logs + dead_logs
local uncounted = is_missing.usage and 0 or number_in(usage, 'logs') - logs
for _, number in ipairs(lost) do uncounted = uncounted - number end
for at, kind in ipairs(KINDS) do
  if is_missing['counts:' .. kind] and uncounted > 0 then lost[at], uncounted = uncounted, 0 end
end
call('HSET', usage, 'logs', logs, 'bytes', bytes + dead_bytes)
return {'ok', id, kept_dialect, missing, lost, in_doubt}
