#!lua flags=allow-oom
-- Answers with the milliseconds until a lease may succeed; -1 when nothing waits.
-- include: spool
local kind = ARGV[3]
local flush = ARGV[4] == '1'

if spool_error then return {spool_error} end
promote_due(kind, flush)
if call('LLEN', key_of('ready', kind)) > 1 then return {'ok', 0} end
local due_in = -1
for _, name in ipairs({'lingering', 'delayed'}) do
  local queue, at = first_of(key_of(name, kind))
  if queue then
    local wait = math.max(1, at - now)
    due_in = due_in < 0 and wait or math.min(due_in, wait)
  end
end
return {'ok', due_in}
