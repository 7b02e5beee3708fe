-- What every script of the spool begins with: clock, keys, queues, counts, journal.
--
-- A user's queue is `u:ann`; the partner queue is `p`. A leased batch of the partner queue becomes a queue of its own,
-- `b:17`, so that the partner queue can be leased again at once. After a loss, `a:token:ann` holds what a worker had
-- leased. Per kind a queue is in one of these:
--
--     lingering (by the time its batch closes) -> ready (a list: rotation) -> leased -> delayed (by the time it ends)
--
-- Plays are kept in chunks (chunks.lua). The waiting chunks of a queue are in the list `plays:KIND:QUEUE`, oldest first;
-- a lease moves them to `batch:KIND:QUEUE`, where they are until they are settled or wait again: only a chunk of which
-- some plays are settled, or that exceeds a batch, is cut. `leases` is a sorted set, by the time the heartbeat of each
-- runs out.
--
-- Redis deletes a key that becomes empty. So that a missing key always means a loss, every key but the lists of queues,
-- batches and leases has a placeholder member (an empty name, the time `inf`) for as long as the spool exists. If one
-- of them is deleted or evicted, the next script notices before it changes anything.

local base = KEYS[1]
local clock_offset = tonumber(ARGV[1]) -- milliseconds ahead of Redis's clock, for tests
local expected_spool = ARGV[2] -- id of the spool that the caller knows; empty for any

local LAYOUT = '3' -- of keys and fields; OPEN migrates layout 2, and everything older is an error
local OLD_LAYOUT, MIGRATING = '2', '2 to 3'
local WORKER_FORGOTTEN_MS = 30 * 86400000 -- after the last heartbeat of a worker; its last step is forgotten, too
local call = redis.call

local time = call('TIME')
local redis_time = time[1] * 1000 + time[2] / 1000 + clock_offset
local timestamp = string.format('%.0f', redis_time * 1000) -- for journal and dead letters, in microseconds
local identity = call('HMGET', base .. 'spool', 'id', 'behind', 'latest', 'layout')
-- The spool's own clock never goes back, or what is delayed would stay so for as long as Redis's clock has jumped.
local behind, latest = tonumber(identity[2] or 0), tonumber(identity[3] or 0)
local now = redis_time + behind
if now < latest then
  behind, now = behind + latest - now, latest
  for _, name in ipairs({'spool', 'usage'}) do
    if call('EXISTS', base .. name) == 1 then call('HSET', base .. name, 'behind', string.format('%.3f', behind)) end
  end
end
if identity[1] and now > latest + 1000 then call('HSET', base .. 'spool', 'latest', string.format('%.3f', now)) end

local function key_of(name, kind) return base .. name .. ':' .. kind end
local function number_in(key, field) return tonumber(call('HGET', key, field) or 0) end

-- Keys that must exist: name, or name and kind, and the type of each.
local KINDS = {'preview', 'catalogue', 'subscriber'}
local KEYS_OF_SPOOL = {
  spool = 'hash', usage = 'hash', leases = 'zset', workers = 'zset', appends = 'hash', checkpoints = 'hash',
  sequence = 'string', journal = 'stream', ['dead-letters'] = 'stream',
  aside = 'string', -- stops releases that know only layout 2, even if the key `spool` is lost
}
local KEYS_OF_KIND = {
  counts = 'hash', logs = 'hash', bytes = 'hash', oldest = 'zset', ready = 'list', lingering = 'zset',
  delayed = 'zset', leased = 'hash', attempts = 'hash',
}
local names, types, keys = {}, {}, {}
for name, type in pairs(KEYS_OF_SPOOL) do names[#names + 1], types[#types + 1] = name, type end
for name, type in pairs(KEYS_OF_KIND) do
  for _, kind in ipairs(KINDS) do names[#names + 1], types[#types + 1] = name .. ':' .. kind, type end
end
for i, name in ipairs(names) do keys[i] = base .. name end
local existing = call('EXISTS', unpack(keys))

-- Why a script can't do its work: the spool is of an older layout (`old` can be migrated), all of it is lost, a key is lost, or another spool
-- was created since. A script that only reads takes what there is, unless its caller knows the spool.
local spool_error
if identity[1] and identity[4] ~= LAYOUT then
  spool_error = (identity[4] == OLD_LAYOUT or identity[4] == MIGRATING) and 'old' or 'outdated'
elseif existing == 0 then
  spool_error = 'gone'
elseif existing < #keys then
  spool_error = 'damaged'
elseif expected_spool ~= '' and identity[1] ~= expected_spool then
  spool_error = 'gone'
end
local is_outdated = spool_error == 'old' or spool_error == 'outdated'
local read_error = (expected_spool ~= '' or is_outdated) and spool_error

local function add_to_count(kind, state, n) if n ~= 0 then call('HINCRBY', key_of('counts', kind), state, n) end end
local function is_type(queue, type) return string.sub(queue, 1, 2) == type .. ':' end
local function list_of(kind, queue) return base .. 'plays:' .. kind .. ':' .. queue end
local function batch_of(kind, queue) return base .. 'batch:' .. kind .. ':' .. queue end
local function queue_of(user) return user == '' and 'p' or 'u:' .. user end
local function user_of(queue)
  if is_type(queue, 'u') then return string.sub(queue, 3) end
  return is_type(queue, 'a') and string.match(queue, '^a:[^:]*:(.*)$') or ''
end
-- The first member of a sorted set and its score.
local function first_of(key)
  local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')
  if first[1] and first[1] ~= '' then return first[1], tonumber(first[2]) end
end
-- The list of ready queues ends with the placeholder member.
local function push_last(kind, queue)
  call('LSET', key_of('ready', kind), -1, queue)
  call('RPUSH', key_of('ready', kind), '')
end

-- How many logs and bytes the spool holds.
local function add_to_usage(logs, bytes)
  -- Redis does not take a minus zero for an integer.
  return call('HINCRBY', base .. 'usage', 'logs', logs + 0), call('HINCRBY', base .. 'usage', 'bytes', bytes + 0)
end
local function ok() return {'ok', number_in(base .. 'usage', 'logs'), number_in(base .. 'usage', 'bytes')} end

-- How many logs and bytes of a queue wait; returns both.
local function add_to_queue(kind, queue, logs, bytes)
  local size = call('HINCRBY', key_of('bytes', kind), queue, bytes)
  local left = call('HINCRBY', key_of('logs', kind), queue, logs)
  if left == 0 then
    call('HDEL', key_of('logs', kind), queue)
    call('HDEL', key_of('bytes', kind), queue)
    call('ZREM', key_of('oldest', kind), queue)
  end
  return left, size
end

-- What makes a batch of a kind complete; read once.
local batch_limits = {}
local function fills_batch(kind, logs, bytes)
  local limits = batch_limits[kind]
  if not limits then
    limits = call('HMGET', base .. 'spool', kind .. '.count', kind .. '.bytes')
    batch_limits[kind] = limits
  end
  return not limits[1] or logs >= tonumber(limits[1]) or bytes >= tonumber(limits[2])
end

-- A queue whose plays fill a batch is ready; any other lingers from when its first play was accepted.
local function schedule(kind, queue, accepted_at)
  if fills_batch(kind, number_in(key_of('logs', kind), queue), number_in(key_of('bytes', kind), queue)) then
    call('ZREM', key_of('lingering', kind), queue)
    push_last(kind, queue)
  else
    call('ZADD', key_of('lingering', kind), accepted_at + number_in(base .. 'spool', kind .. '.linger'), queue)
  end
end

-- Queues whose time has come get ready.
local function promote_due(kind, flush)
  for _ = 1, 64 do
    local queue, at = first_of(key_of('delayed', kind))
    if not queue or at > now then break end
    call('ZREM', key_of('delayed', kind), queue)
    call('LPUSH', key_of('ready', kind), queue)
  end
  for _ = 1, 64 do
    local queue, at = first_of(key_of('lingering', kind))
    if not queue or (at > now and not flush) then break end
    call('ZREM', key_of('lingering', kind), queue)
    push_last(kind, queue)
  end
end

-- Entries of dead letters by names of their fields.
local function dead_letter_of(fields)
  return {
    kind = fields[2], state = fields[4], user = fields[6], played_at = fields[8], body = fields[10],
    reason = fields[12], in_doubt = fields[18],
  }
end

-- Remove a dead letter and return it; nil if there is none of this id.
local function take_dead_letter(id)
  local entry = call('XRANGE', base .. 'dead-letters', id, id)[1]
  if not entry then return nil end
  call('XDEL', base .. 'dead-letters', id)
  local letter = dead_letter_of(entry[2])
  add_to_count(letter.kind, letter.state, -1)
  return letter
end
