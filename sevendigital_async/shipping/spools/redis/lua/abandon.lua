#!lua flags=allow-oom
-- Abandon leases, as a crash does. Answers with usage; with `missing` if the stream of one is lost and its worker has the
-- plays: adopt.lua puts them back.
-- include: spool leases
local in_doubt_policy = ARGV[3]
local has_plays = ARGV[4] == '1'
local tokens = 5 -- ARGV[5] and on

if spool_error then return {spool_error} end
for i = tokens, #ARGV do
  local token = ARGV[i]
  local kind, queue = call('HGET', lease_key(token), 'kind'), call('HGET', lease_key(token), 'queue')
  local id = queue and ids_in_lease(token)[1]
  if has_plays and id and not entry_of(kind, queue, id) then return {'missing'} end
  abandon(token, in_doubt_policy)
end
return ok()
