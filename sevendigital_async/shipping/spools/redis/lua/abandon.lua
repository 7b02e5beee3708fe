#!lua flags=allow-oom
-- Abandon leases, as a crash does. Answers with usage; or with `missing` if Redis has lost the plays of a lease and its
-- worker still holds them: adopt.lua puts them back.
-- include: spool chunks leases
local in_doubt_policy = ARGV[3]
local has_plays = ARGV[4] == '1'
local tokens = 5 -- ARGV[5] and on

if spool_error then return {spool_error} end
for i = tokens, #ARGV do
  local token = ARGV[i]
  local kind, queue = call('HGET', lease_key(token), 'kind'), call('HGET', lease_key(token), 'queue')
  local is_missing = queue and number_in(lease_key(token), 'left') > 0 and call('EXISTS', batch_of(kind, queue)) == 0
  if has_plays and is_missing then return {'missing'} end
  abandon(token, in_doubt_policy)
end
return ok()
