#!lua flags=allow-oom
-- Prolong the leases of a worker, take over those of dead workers, find losses, and remove what is old.
-- Answers with usage; kind, plays and plays in doubt of each lease taken over; how many plays are lost by kind; and how
-- many are in doubt because their lease is lost.
-- include: spool chunks leases
local worker = ARGV[3]
local lease_ms = tonumber(ARGV[4])
local may_take_over = ARGV[5] == '1'
local in_doubt_policy = ARGV[6]
local journal_ms = tonumber(ARGV[7])
local orphan_count = tonumber(ARGV[8])
local tokens = 9 -- ARGV[9] and on: of orphans, so many, to be abandoned; then of leases to be prolonged

if spool_error then return {spool_error} end

-- Find lost leases, and check the lists of some queues, of other queues each time. Returns how many plays are lost, and
-- how many are in doubt.
local function audit(kind)
  local lost, in_doubt, in_flight, broken = 0, 0, 0, {}
  local leased = call('HGETALL', key_of('leased', kind))
  for i = 1, #leased, 2 do
    local queue, token = leased[i], leased[i + 1]
    if queue ~= '' then
      if call('HEXISTS', lease_key(token), 'queue') == 1 then
        in_flight = in_flight + number_in(lease_key(token), 'left')
        if not call('ZSCORE', base .. 'leases', token) then call('ZADD', base .. 'leases', now, token) end
      else
        broken[#broken + 1] = queue
        call('ZREM', base .. 'leases', token)
      end
    end
  end
  if #broken > 0 then
    lost = number_in(key_of('counts', kind), 'in_flight') - in_flight
    for _, queue in ipairs(broken) do
      local sent = recover_plays_of_lost_lease(kind, queue, in_doubt_policy)
      local more_logs = rebuild_queue(kind, queue)
      in_doubt = in_doubt + sent
      lost = lost - more_logs - (in_doubt_policy == 'hold' and sent or 0)
      add_to_count(kind, 'waiting', more_logs)
    end
    call('HSET', key_of('counts', kind), 'in_flight', in_flight)
    -- Nothing was recovered of a lease whose plays are lost, too.
    add_to_count(kind, 'put', -lost)
    add_to_usage(-lost, 0)
  end
  local cursor = 'cursor:' .. kind
  local page = call('HSCAN', key_of('logs', kind), call('HGET', base .. 'usage', cursor) or '0', 'COUNT', 50)
  call('HSET', base .. 'usage', cursor, page[1])
  for i = 1, #page[2], 2 do
    local queue, logs = page[2][i], tonumber(page[2][i + 1])
    local is_whole = queue == '' or logs == 0 or call('EXISTS', list_of(kind, queue)) == 1
    if not is_whole then lost = lost + remove_lost_plays(kind, queue) end
  end
  return lost, in_doubt
end

call('ZADD', base .. 'workers', now, worker)
for i = tokens, #ARGV do
  if i < tokens + orphan_count then
    abandon(ARGV[i], in_doubt_policy)
  elseif call('HEXISTS', lease_key(ARGV[i]), 'queue') == 1 then
    call('ZADD', base .. 'leases', now + lease_ms, ARGV[i])
  end
end
local recovered, lost, in_doubt = {}, {0, 0, 0}, 0
if may_take_over then
  for _, token in ipairs(call('ZRANGEBYSCORE', base .. 'leases', '-inf', now, 'LIMIT', 0, 20)) do
    local kind, logs, sent, lost_logs = abandon(token, in_doubt_policy)
    for at, name in ipairs(KINDS) do if name == kind then lost[at] = lost[at] + lost_logs end end
    if kind and logs > 0 then
      recovered[#recovered + 1] = kind
      recovered[#recovered + 1] = logs
      recovered[#recovered + 1] = sent
    end
  end
end
for at, kind in ipairs(KINDS) do
  local lost_logs, sent = audit(kind)
  lost[at], in_doubt = lost[at] + lost_logs, in_doubt + sent
end
call('XTRIM', base .. 'journal', 'MINID', '~', string.format('%.0f', math.max(0, now - journal_ms)))
for _, dead in ipairs(call('ZRANGEBYSCORE', base .. 'workers', '-inf', now - WORKER_FORGOTTEN_MS, 'LIMIT', 0, 20)) do
  call('ZREM', base .. 'workers', dead)
  call('HDEL', base .. 'appends', dead, dead .. ':answer')
end
local answer = ok()
answer[4], answer[5], answer[6] = recovered, lost, in_doubt
return answer
